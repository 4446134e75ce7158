"""What circleci/wait-for does, shown of the blocking form and of the asynchronous one."""

from dataclasses import FrozenInstanceError
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.errors import NotReadyError
from chalicelib.wait import Backoff, Catch, WaitPolicy, did_not_raise, lambda_time
from tests.wait.script import RecordingClock, Script, Wait

_SECOND = timedelta(seconds=1)


class ExitError(Exception):
    """Raised by a command that failed."""

    def __init__(self, exit_status: int) -> None:
        super().__init__(exit_status)
        self.exit_status = exit_status


def test_it_is_tried_until_it_returns_something_true(wait: Wait, clock: RecordingClock) -> None:
    script = Script(None, [], 0, "", "ready")

    value = wait(script, clock, tries=10)

    assert value == "ready"
    assert script.calls == 5
    assert clock.slept == [1, 1, 1, 1]


def test_the_first_try_comes_at_once(wait: Wait, clock: RecordingClock) -> None:
    wait(Script("ready"), clock)

    assert clock.slept == []


def test_three_tries_a_second_apart_are_the_default(wait: Wait, clock: RecordingClock) -> None:
    script = Script(None)

    with pytest.raises(NotReadyError):
        wait(script, clock)

    assert script.calls == 3
    assert clock.slept == [1, 1]


def test_it_does_not_sleep_after_the_last_try(wait: Wait, clock: RecordingClock) -> None:
    with pytest.raises(NotReadyError):
        wait(Script(None), clock, tries=2)

    assert clock.slept == [1]


def test_a_timeout_without_tries_means_any_number_of_tries(
    wait: Wait, clock: RecordingClock
) -> None:
    script = Script(None)

    with pytest.raises(NotReadyError):
        wait(script, clock, timeout=100 * _SECOND)

    assert script.calls == 101


def test_a_timeout_that_is_shorter_than_the_tries_ends_the_wait(
    wait: Wait, clock: RecordingClock
) -> None:
    """The example of the original's tests: calls of 100 ms, a millisecond apart, for 400 ms."""
    script = Script(*range(11), clock=clock, takes_s=0.1)

    with pytest.raises(NotReadyError):
        wait(
            script,
            clock,
            sleep=_SECOND / 1000,
            tries=10,
            timeout=0.4 * _SECOND,
            success=lambda value: value == 42,
        )

    assert script.calls == 4


def test_tries_that_are_fewer_than_the_timeout_allows_end_the_wait(
    wait: Wait, clock: RecordingClock
) -> None:
    script = Script(None)

    with pytest.raises(NotReadyError):
        wait(script, clock, tries=4, timeout=100 * _SECOND)

    assert script.calls == 4


@pytest.mark.parametrize("limits", [{"tries": None}, {"tries": None, "timeout": 900 * _SECOND}])
def test_tries_without_limit(wait: Wait, clock: RecordingClock, limits: dict[str, Any]) -> None:
    script = Script(*[None] * 500, "at last")

    value = wait(script, clock, **limits)

    assert value == "at last"


def test_without_a_sleep_it_does_not_sleep(wait: Wait, clock: RecordingClock) -> None:
    script = Script(None)

    with pytest.raises(NotReadyError):
        wait(script, clock, sleep=None, tries=3)

    assert script.calls == 3
    assert clock.slept == []


def test_without_a_sleep_a_timeout_still_means_any_number_of_tries(
    wait: Wait, clock: RecordingClock
) -> None:
    script = Script(None, clock=clock, takes_s=1)

    with pytest.raises(NotReadyError):
        wait(script, clock, sleep=None, timeout=20 * _SECOND)

    assert script.calls == 20
    assert clock.slept == []


def test_no_exception_is_caught_unless_named(wait: Wait, clock: RecordingClock) -> None:
    script = Script(OSError("fail"))

    with pytest.raises(OSError, match="fail"):
        wait(script, clock, tries=5)

    assert script.calls == 1


def test_an_exception_that_is_not_among_the_named_is_raised(
    wait: Wait, clock: RecordingClock
) -> None:
    script = Script(IndexError("other"))

    with pytest.raises(IndexError):
        wait(script, clock, tries=4, catch=(OSError, KeyError))

    assert script.calls == 1


def test_a_named_exception_is_tried_again(wait: Wait, clock: RecordingClock) -> None:
    script = Script(OSError(), ConnectionError(), OSError(), 42)

    value = wait(script, clock, tries=4, catch=OSError)

    assert value == 42
    assert clock.slept == [1, 1, 1]


@pytest.mark.parametrize(
    ("catch", "error", "caught"),
    [
        (ExitError, ExitError(1), True),
        ((ExitError, OSError), OSError(), True),
        ((), ExitError(1), False),
        ("exit_status", ExitError(1), True),
        ("exit_status", ExitError(0), False),
        ("exit_status", OSError(), False),
        (("exit_status", 1), ExitError(1), True),
        (("exit_status", 1), ExitError(2), False),
        (("exit_status", 1), OSError(), False),
        (("exit_status", None), OSError(), True),
        (lambda error: error.exit_status > 1, ExitError(2), True),
        (lambda error: error.exit_status > 1, ExitError(1), False),
    ],
)
def test_what_is_caught(
    wait: Wait, clock: RecordingClock, catch: Catch, error: Exception, *, caught: bool
) -> None:
    script = Script(error, "ready")

    if caught:
        assert wait(script, clock, catch=catch) == "ready"
    else:
        with pytest.raises(type(error)):
            wait(script, clock, catch=catch)

    assert script.calls == 1 + caught


def test_a_predicate_is_asked_about_each_exception(wait: Wait, clock: RecordingClock) -> None:
    answers = iter([True, True, False])
    script = Script(OSError("test"))

    with pytest.raises(OSError, match="test"):
        wait(script, clock, tries=5, catch=lambda _: next(answers))

    assert script.calls == 3


def test_the_last_try_raises_what_it_caught_before(wait: Wait, clock: RecordingClock) -> None:
    script = Script(OSError("first"), OSError("second"))

    with pytest.raises(OSError, match="second"):
        wait(script, clock, tries=2, catch=OSError)


def test_a_success_function_decides_on_the_value(wait: Wait, clock: RecordingClock) -> None:
    script = Script(*range(11))

    value = wait(script, clock, tries=10, success=lambda value: value == 8)

    assert value == 8
    assert script.calls == 9


def test_what_a_success_function_raises_counts_as_raised_by_the_try(
    wait: Wait, clock: RecordingClock
) -> None:
    script = Script({}, {"state": "running"})

    value = wait(script, clock, catch=KeyError, success=lambda value: value["state"])

    assert value == {"state": "running"}


def test_success_may_be_that_it_did_not_raise(wait: Wait, clock: RecordingClock) -> None:
    heard: list[Exception] = []
    script = Script(OSError(), OSError(), None)

    value = wait(
        script, clock, sleep=None, catch=OSError, success=did_not_raise, error_hook=heard.append
    )

    assert value is None
    assert len(heard) == 2


def test_the_hook_hears_every_exception_even_the_last(wait: Wait, clock: RecordingClock) -> None:
    heard: list[Exception] = []
    error = ConnectionError()

    with pytest.raises(ConnectionError):
        wait(Script(error), clock, tries=4, catch=ConnectionError, error_hook=heard.append)

    assert heard == [error] * 4


def test_the_hook_hears_before_it_is_decided(wait: Wait, clock: RecordingClock) -> None:
    order: list[str] = []

    def decide(_: Exception) -> bool:
        order.append("decide")
        return False

    with pytest.raises(ConnectionError):
        wait(
            Script(ConnectionError()),
            clock,
            catch=decide,
            error_hook=lambda _: order.append("hook"),
        )

    assert order == ["hook", "decide"]


def test_the_hook_hears_of_a_wait_in_vain(wait: Wait, clock: RecordingClock) -> None:
    """The original throws that error where its own handler sees it."""
    heard: list[Exception] = []

    with pytest.raises(NotReadyError) as caught:
        wait(Script(None), clock, tries=2, error_hook=heard.append)

    assert heard == [caught.value]


def test_a_hook_that_never_hears_changes_nothing(wait: Wait, clock: RecordingClock) -> None:
    heard: list[Exception] = []

    wait(Script(None, None, "ready"), clock, error_hook=heard.append)

    assert heard == []


def test_a_wait_in_vain_says_what_it_saw(wait: Wait, clock: RecordingClock) -> None:
    refused = ConnectionRefusedError("refused")

    with pytest.raises(NotReadyError) as caught:
        wait(Script(refused, None, ""), clock, name="host ready", catch=OSError)
    error = caught.value

    assert (error.last_value, error.last_error, error.tries) == ("", refused, 3)
    assert error.elapsed == 2 * _SECOND
    assert error.__cause__ is refused
    assert str(error).startswith("host ready: not ready after 3 tries in 0:00:02; last error: ")


def test_an_interruption_is_no_exception_to_catch(wait: Wait, clock: RecordingClock) -> None:
    heard: list[Exception] = []

    def interrupted(_: object) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wait(
            Script("ready"),
            clock,
            success=interrupted,
            catch=lambda _: True,
            error_hook=heard.append,
        )

    assert heard == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"success": False},
        {"catch": (OSError, "errno")},
        {"catch": 404},
        {"catch": KeyboardInterrupt},
        {"tries": 0},
        {"sleep": -_SECOND},
        {"timeout": -_SECOND},
        {"sleep": Backoff(first=_SECOND, cap=_SECOND, jitter=True)},
    ],
    ids=str,
)
def test_options_without_sense_are_refused_before_the_first_try(
    wait: Wait, clock: RecordingClock, wrong: dict[str, Any]
) -> None:
    script = Script("ready")

    with pytest.raises((TypeError, ValueError)):
        wait(script, clock, **wrong)

    assert script.calls == 0


def test_a_sleep_is_cut_at_the_deadline_and_one_more_try_made(
    wait: Wait, clock: RecordingClock
) -> None:
    script = Script(None)

    with pytest.raises(NotReadyError):
        wait(script, clock, sleep=10 * _SECOND, timeout=25 * _SECOND)

    assert clock.slept == [10, 10, 5]
    assert script.calls == 4


def test_what_the_lambda_has_left_ends_the_wait_too(wait: Wait, clock: RecordingClock) -> None:
    """Two of its nine seconds are kept to say so."""
    end = clock.now() + 9 * _SECOND

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return (end - clock.now()) // timedelta(milliseconds=1)

    with pytest.raises(NotReadyError):
        wait(
            Script(None),
            clock,
            sleep=5 * _SECOND,
            timeout=90 * _SECOND,
            remaining=lambda_time(Context()),
        )

    assert clock.slept == [5, 2]


def test_backoff_grows_to_its_cap(wait: Wait, clock: RecordingClock) -> None:
    backoff = Backoff(first=_SECOND, rate=3, cap=10 * _SECOND)

    with pytest.raises(NotReadyError):
        wait(Script(None), clock, sleep=backoff, tries=6)

    assert clock.slept == [1, 3, 9, 10, 10]


def test_a_policy_has_a_name_and_never_changes() -> None:
    policy = WaitPolicy(name="a lock", tries=2)

    with pytest.raises(FrozenInstanceError):
        policy.tries = 3  # type: ignore[misc]
    with pytest.raises(NotReadyError, match="a lock"):
        policy.wait(lambda: False, clock=RecordingClock())
