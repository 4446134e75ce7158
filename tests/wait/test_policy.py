"""A waiting policy as waits, and as a `Retry` block."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.wait import Randomness, RetryPolicy
from tests.wait.script import RecordingClock, Script, Share

_LAWFUL = settings(max_examples=500)


def policy(
    *,
    interval_s: float = 1,
    backoff_rate: float = 2,
    max_attempts: int = 5,
    max_delay_s: float = 10,
    jitter: bool = False,
) -> RetryPolicy:
    return RetryPolicy(
        name="call",
        errors=(TimeoutError, "Lambda.ServiceException"),
        interval=timedelta(seconds=interval_s),
        backoff_rate=backoff_rate,
        max_attempts=max_attempts,
        max_delay=timedelta(seconds=max_delay_s),
        jitter=jitter,
    )


policies = st.builds(
    policy,
    interval_s=st.floats(min_value=0.001, max_value=10),
    backoff_rate=st.floats(min_value=1, max_value=10),
    max_attempts=st.integers(min_value=0, max_value=40),
    max_delay_s=st.floats(min_value=10, max_value=3600),
    jitter=st.booleans(),
)


def test_waits_grow_up_to_the_longest() -> None:
    waits = [wait.total_seconds() for wait in policy().delays(Share(0.5))]

    assert waits == [1, 2, 4, 8, 10]


def test_jitter_takes_a_part_of_each_wait() -> None:
    waits = [wait.total_seconds() for wait in policy(jitter=True).delays(Share(0.5))]

    assert waits == [0.5, 1, 2, 4, 5]


@_LAWFUL
@given(policies, st.randoms(use_true_random=False))
def test_no_wait_is_negative_or_beyond_the_longest(policy: RetryPolicy, random: Randomness) -> None:
    waits = list(policy.delays(random))

    assert len(waits) == policy.max_attempts
    assert all(timedelta(0) <= wait <= policy.max_delay for wait in waits)


@_LAWFUL
@given(policies, st.randoms(use_true_random=False))
def test_jitter_only_shortens(policy: RetryPolicy, random: Randomness) -> None:
    steady = replace(policy, jitter=False)

    pairs = zip(policy.delays(random), steady.delays(random), strict=True)

    assert all(wait <= full for wait, full in pairs)


@_LAWFUL
@given(policies, st.randoms(use_true_random=False))
def test_without_jitter_no_wait_is_shorter_than_the_one_before(
    policy: RetryPolicy, random: Randomness
) -> None:
    waits = list(replace(policy, jitter=False).delays(random))

    assert waits == sorted(waits)
    assert waits[:1] == [policy.interval][: policy.max_attempts]


def test_waits_do_not_grow_beyond_what_can_be_computed() -> None:
    *_, last = policy(backoff_rate=10, max_attempts=1000).delays(Share(0.5))

    assert last == timedelta(seconds=10)


def test_in_python_the_same_errors_are_tried_again_as_often_and_as_late() -> None:
    clock, script = RecordingClock(), Script(TimeoutError("again"))

    with pytest.raises(TimeoutError):
        policy(jitter=True).as_wait().wait(script, clock=clock, random=Share(0.5))

    assert script.calls == 1 + 5
    assert clock.slept == [0.5, 1, 2, 4, 5]


def test_in_python_other_errors_are_not_tried_again() -> None:
    script = Script(LookupError("other"))

    with pytest.raises(LookupError):
        policy().as_wait().wait(script, clock=RecordingClock())

    assert script.calls == 1


def test_in_python_a_retried_call_may_return_nothing() -> None:
    value = policy().as_wait().wait(Script(TimeoutError(), None), clock=RecordingClock())

    assert value is None


def test_the_block_says_what_the_policy_says() -> None:
    block = policy(jitter=True).as_retry()

    assert block == {
        "ErrorEquals": ["TimeoutError", "Lambda.ServiceException"],
        "IntervalSeconds": 1,
        "BackoffRate": 2.0,
        "MaxAttempts": 5,
        "MaxDelaySeconds": 10,
        "JitterStrategy": "FULL",
    }
    assert isinstance(block["BackoffRate"], float)


def test_a_block_cannot_say_less_than_a_second() -> None:
    quick = policy(interval_s=0.5)

    with pytest.raises(ValueError, match="whole seconds"):
        quick.as_retry()


@pytest.mark.parametrize(
    "wrong",
    [
        {"interval_s": 0},
        {"interval_s": 11},
        {"backoff_rate": 0.5},
        {"max_attempts": -1},
    ],
)
def test_a_policy_without_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="call: "):
        policy(**wrong)  # type: ignore[arg-type]
