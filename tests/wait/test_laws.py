"""What holds of every wait, whatever the policy and whatever the function does."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.errors import NotReadyError
from chalicelib.wait import Backoff, Randomness, WaitPolicy
from tests.wait.script import RecordingClock, Script, Share, finish

_LAWFUL = settings(max_examples=500)


class CaughtError(Exception):
    """The policies catch this one."""


class OtherError(Exception):
    """No policy catches this one."""


def seconds(smallest: float, largest: float) -> st.SearchStrategy[timedelta]:
    return st.floats(smallest, largest).map(lambda number: timedelta(seconds=number))


@st.composite
def backoffs(draw: st.DrawFn) -> Backoff:
    first = draw(seconds(0, 10))
    return Backoff(
        first=first,
        rate=draw(st.floats(1, 10)),
        cap=first + draw(seconds(0, 100)),
        jitter=draw(st.booleans()),
    )


policies = st.builds(
    WaitPolicy,
    name=st.just("something"),
    sleep=st.one_of(st.none(), seconds(0, 30), backoffs()),
    tries=st.one_of(st.just(...), st.integers(1, 12), st.none()),
    timeout=st.one_of(st.none(), seconds(0, 120)),
    catch=st.just(CaughtError),
)
outcomes = st.one_of(
    st.sampled_from([None, 0, "", "one", "two"]),
    st.builds(CaughtError),
    st.builds(OtherError),
)
scripts = st.lists(outcomes, max_size=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that can be told of one wait."""

    outcome: object
    calls: int
    slept: tuple[float, ...]
    heard: tuple[Exception, ...]
    sleeps_end_s: tuple[float, ...]


class TellingClock(RecordingClock):
    """Also keeps when each sleep ended, in seconds after the start."""

    def __init__(self) -> None:
        super().__init__()
        self.start = self.now()
        self.ends: list[float] = []

    def sleep(self, duration: timedelta) -> None:
        """Remember the sleep and its end."""
        super().sleep(duration)
        self.ends.append((self.now() - self.start).total_seconds())


def tell(
    policy: WaitPolicy,
    entries: list[object],
    random: Randomness,
    *,
    left: timedelta | None = None,
    asynchronous: bool = False,
) -> Story:
    """Wait for that script, which ends in success, and tell what happened.

    Success at the end keeps waits without limits finite.
    """
    clock, heard = TellingClock(), list[Exception]()
    script = Script(*entries, "the end", clock=clock, takes_s=0.25)
    means: Any = {"random": random, "error_hook": heard.append}
    if left is not None:
        means["remaining"] = lambda: clock.start + left - clock.now()
    try:
        outcome = (
            finish(
                policy.wait_async(script.awaited, clock=clock, sleeper=clock.sleep_async, **means)
            )
            if asynchronous
            else policy.wait(script, clock=clock, **means)
        )
    except (CaughtError, OtherError, NotReadyError) as error:
        outcome = error
    return Story(
        outcome=outcome,
        calls=script.calls,
        slept=tuple(clock.slept),
        heard=tuple(heard),
        sleeps_end_s=tuple(clock.ends),
    )


def bound(policy: WaitPolicy) -> int | None:
    """The original's rule: 3 tries, or any number when there is a timeout and no word on tries."""
    if isinstance(policy.tries, int) or policy.tries is None:
        return policy.tries
    return 3 if policy.timeout is None else None


randoms = st.randoms(use_true_random=False)


@_LAWFUL
@given(policies, scripts, randoms)
def test_there_are_never_more_tries_than_allowed(
    policy: WaitPolicy, entries: list[object], random: Randomness
) -> None:
    story = tell(policy, entries, random)

    limit = bound(policy)
    assert limit is None or story.calls <= limit
    assert len(story.slept) <= story.calls - 1


@_LAWFUL
@given(policies, scripts, randoms)
def test_without_a_timeout_no_allowed_try_is_left_out(
    policy: WaitPolicy, entries: list[object], random: Randomness
) -> None:
    story = tell(replace(policy, timeout=None), entries, random)

    if isinstance(story.outcome, NotReadyError | CaughtError):
        assert story.calls == bound(replace(policy, timeout=None))


@_LAWFUL
@given(policies, scripts, randoms, st.one_of(st.none(), seconds(0, 60)))
def test_no_sleep_passes_a_deadline(
    policy: WaitPolicy, entries: list[object], random: Randomness, left: timedelta | None
) -> None:
    story = tell(policy, entries, random, left=left)

    deadlines = [each.total_seconds() for each in (policy.timeout, left) if each is not None]
    assert all(end <= deadline for end in story.sleeps_end_s for deadline in deadlines)


@_LAWFUL
@given(policies, scripts, randoms)
def test_every_sleep_is_within_its_bounds(
    policy: WaitPolicy, entries: list[object], random: Randomness
) -> None:
    story = tell(policy, entries, random)

    match policy.sleep:
        case None:
            assert story.slept == ()
        case Backoff(cap=cap):
            assert all(0 < each <= cap.total_seconds() for each in story.slept)
        case steady:
            assert all(0 < each <= steady.total_seconds() for each in story.slept)


@_LAWFUL
@given(policies, scripts, randoms)
def test_the_first_success_is_returned_and_nothing_is_called_after_it(
    policy: WaitPolicy, entries: list[object], random: Randomness
) -> None:
    story = tell(policy, entries, random)

    played = [*entries, "the end"][: story.calls]
    assert not any(entry for entry in played[:-1] if not isinstance(entry, Exception))
    if isinstance(story.outcome, NotReadyError):
        assert not played[-1]
        assert story.outcome.last_value == played[-1]
        assert story.outcome.tries == story.calls
    else:
        assert story.outcome is played[-1]


@_LAWFUL
@given(policies, scripts, randoms)
def test_an_exception_that_is_not_named_ends_the_wait_where_it_is_raised(
    policy: WaitPolicy, entries: list[object], random: Randomness
) -> None:
    story = tell(policy, entries, random)

    played = entries[: story.calls]
    assert not any(isinstance(entry, OtherError) for entry in played[:-1])


@_LAWFUL
@given(policies, scripts, randoms)
def test_the_hook_hears_every_exception_in_order(
    policy: WaitPolicy, entries: list[object], random: Randomness
) -> None:
    story = tell(policy, entries, random)

    raised = [entry for entry in entries[: story.calls] if isinstance(entry, Exception)]
    in_vain = [story.outcome] if isinstance(story.outcome, NotReadyError) else []
    assert list(story.heard) == raised + in_vain


@_LAWFUL
@given(policies, scripts, st.floats(0, 1), seconds(0, 60))
def test_the_asynchronous_twin_does_the_same(
    policy: WaitPolicy, entries: list[object], part: float, left: timedelta
) -> None:
    blocking = tell(policy, entries, Share(part), left=left)

    twin = tell(policy, entries, Share(part), left=left, asynchronous=True)

    assert comparable(twin) == comparable(blocking)


def comparable(story: Story) -> tuple[object, ...]:
    """Errors compare by identity, and each wait in vain makes its own."""
    own = [NotReadyError if isinstance(each, NotReadyError) else each for each in story.heard]
    outcome = story.outcome.facts() if isinstance(story.outcome, NotReadyError) else story.outcome
    return outcome, story.calls, story.slept, own
