"""Trying until it works: the contract of circleci/wait-for, with a clock that is passed in.

Whatever decides is in `_Trial`, which neither sleeps nor calls; the blocking loop, its asynchronous
twin and the single step for Step Functions are drivers around it, so that they cannot differ.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import EllipsisType
from typing import Any, Protocol, TypedDict, TypeVar, Unpack

from chalicelib.clock import Clock, from_ms, to_ms
from chalicelib.errors import NotReadyError
from chalicelib.wait.backoff import Backoff, Randomness
from chalicelib.wait.catching import Catch, matcher
from chalicelib.wait.loop import wait_loop

__all__ = [
    "LambdaContext",
    "Means",
    "WaitOptions",
    "WaitPolicy",
    "did_not_raise",
    "lambda_time",
    "wait_for",
    "wait_for_async",
]

T = TypeVar("T")
_NONE = timedelta(0)
_SECOND = timedelta(seconds=1)
_DEFAULT_TRIES = 3


class LambdaContext(Protocol):
    """What `lambda_time` needs of a Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the function may still run, in milliseconds."""
        ...


class WaitOptions(TypedDict, total=False):
    """The options of circleci/wait-for; `WaitPolicy` says what each means and is by default."""

    name: str
    sleep: timedelta | Backoff | None
    tries: int | EllipsisType | None
    timeout: timedelta | None
    catch: Catch
    success: Callable[[Any], object]


class Means(TypedDict, total=False):
    """What a wait uses beside its clock.

    Attributes:
        random: where jitter is drawn from; needed when the policy has jitter.
        remaining: tells how much time is left to the caller, such as `lambda_time(context)`. The
            wait ends, and each sleep is shortened, as if that were a timeout, but tries stay bound.
        error_hook: gets every exception before it is decided whether to try again, and the
            `NotReadyError` that ends the wait. What it returns is ignored.
    """

    random: Randomness | None
    remaining: Callable[[], timedelta] | None
    error_hook: Callable[[Exception], object] | None


def did_not_raise(_value: object) -> bool:
    """Return True: as `success`, any value will do, a false one too."""
    return True


def lambda_time(
    context: LambdaContext, *, keep: timedelta = timedelta(seconds=2)
) -> Callable[[], timedelta]:
    """Return a `remaining` that leaves the Lambda `keep` (default: 2 s) to report a wait in vain."""
    return lambda: timedelta(milliseconds=context.get_remaining_time_in_millis()) - keep


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitPolicy:
    """What to wait for, how often, how long: a value with a name, used at any number of places.

    Attributes:
        name: what is waited for; `NotReadyError` and the states' comment say it.
        sleep: how long to sleep between tries; None does not sleep. Default: 1 s.
        tries: how often to try; None is without limit. Default: 3, or without limit if there is a
            timeout.
        timeout: when this has passed since the start, the try that runs is the last. Default: None.
        catch: which exceptions are tried again, see `Catch`. Default: none.
        success: is asked about each returned value; true ends the wait. Default: the value is true.
            What it raises counts as raised by the try.
    """

    name: str = "wait"
    sleep: timedelta | Backoff | None = _SECOND
    tries: int | EllipsisType | None = ...
    timeout: timedelta | None = None
    catch: Catch = ()
    success: Callable[[Any], object] = bool
    limit: float = field(init=False, repr=False, compare=False)
    catches: Callable[[Exception], object] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.sleep, timedelta) and self.sleep < _NONE:
            raise ValueError(f"{self.name}: sleep must not be negative")
        if self.timeout is not None and self.timeout < _NONE:
            raise ValueError(f"{self.name}: timeout must not be negative")
        if not callable(self.success):
            raise TypeError(f"{self.name}: success must be a function of the returned value")
        tries = self.tries
        if isinstance(tries, EllipsisType):
            tries = _DEFAULT_TRIES if self.timeout is None else None
        if tries is not None and tries < 1:
            raise ValueError(f"{self.name}: there must be one try at least")
        object.__setattr__(self, "limit", math.inf if tries is None else tries)
        object.__setattr__(self, "catches", matcher(self.catch))

    def wait(self, f: Callable[[], T], *, clock: Clock, **means: Unpack[Means]) -> T:
        """Return the first successful value of `f`; calls it again until then.

        Raises:
            NotReadyError: the last try returned, but not successfully.
            Exception: what `f` raised, when it is not to be caught, or that was the last try.
        """
        trial = _Trial(self, clock, **means)
        while True:
            try:
                value = f()
                if self.success(value):
                    return value
            except Exception as error:
                pause = trial.after_error(error)
                if pause is None:
                    raise
            else:
                pause = trial.after_value(value)
            if pause:
                clock.sleep(pause)

    async def wait_async(
        self,
        f: Callable[[], Awaitable[T]],
        *,
        clock: Clock,
        sleeper: Callable[[timedelta], Awaitable[object]],
        **means: Unpack[Means],
    ) -> T:
        """Do what `wait` does, with an awaited `f`; `sleeper` sleeps, `clock` only tells the time."""
        trial = _Trial(self, clock, **means)
        while True:
            try:
                value = await f()
                if self.success(value):
                    return value
            except Exception as error:
                pause = trial.after_error(error)
                if pause is None:
                    raise
            else:
                pause = trial.after_value(value)
            if pause:
                await sleeper(pause)

    def try_once(
        self,
        f: Callable[[], object],
        progress: Mapping[str, Any],
        *,
        clock: Clock,
        random: Randomness | None = None,
        error_hook: Callable[[Exception], object] | None = None,
    ) -> dict[str, Any]:
        """Try once, as the task of `as_wait_loop`, and return the progress for the next try.

        Sleeps are in whole seconds, rounded up but never past the timeout, so that a rest of less
        than a second counts as none.

        Args:
            f: returns what is waited for; its value stays here.
            progress: what the last try returned, in the input's `wait`; empty at the first.
            clock: tells the time.
            random: see `Means`.
            error_hook: see `Means`.

        Returns:
            `ready`, `tries` so far, `started_at_ms` in Unix milliseconds, and `delay_s` until the
            next try.

        Raises:
            NotReadyError: as `wait`; it does not know errors of earlier tries.
            Exception: as `wait`.
        """
        trial = _Trial(self, clock, random=random, error_hook=error_hook)
        trial.grain = _SECOND
        if progress and not progress["ready"]:  # else it is left from an earlier loop
            trial.tries = progress["tries"]
            trial.started = from_ms(progress["started_at_ms"])
        ready, pause = False, None
        try:
            value = f()
            ready = bool(self.success(value))
        except Exception as error:
            pause = trial.after_error(error)
            if pause is None:
                raise
        else:
            pause = _NONE if ready else trial.after_value(value)
        return {
            "ready": ready,
            "tries": trial.tries + ready,
            "started_at_ms": to_ms(trial.started),
            "delay_s": min(-(-pause // _SECOND), max(0, trial.left() // _SECOND)),
        }

    def as_wait_loop(
        self, noun: str, *, task: Mapping[str, Any], ready: str, over: str
    ) -> dict[str, dict[str, Any]]:
        """Return the states of this wait, to be merged into a state machine.

        Args:
            noun: what is waited for, such as `Transport`; names `CheckTransport`, the entrance,
                `JudgeTransport` and `WaitTransport`.
            task: `Resource`, `Parameters` and perhaps `Retry` of a `lambda:invoke`. Its function
                passes the `wait` of its input, if there is one, to `try_once`, and returns what that
                returns. The input stays as it is but for `wait`.
            ready: the state that follows success.
            over: the state that follows any error, which is then under `$.error`.
        """
        return wait_loop(noun, comment=self._sentence(), task=task, ready=ready, over=over)

    def _sentence(self) -> str:
        tries = "any number of tries" if self.limit == math.inf else f"{self.limit:.0f} tries"
        match self.sleep:
            case None:
                pace = "without a pause"
            case Backoff(first=first, rate=rate, cap=cap):
                pace = f"{first} apart, growing by {rate} up to {cap}"
            case _:
                pace = f"{self.sleep} apart"
        limit = "" if self.timeout is None else f", for {self.timeout} at most"
        return f"Waits for {self.name}: {tries}, {pace}{limit}."


class _Trial:
    """One wait in progress: counts tries and says how long to sleep, or that it is over."""

    __slots__ = (
        "_clock", "_hook", "_last_error", "_policy", "_random", "_remaining", "grain", "started",
        "tries",
    )  # fmt: skip

    def __init__(
        self,
        policy: WaitPolicy,
        clock: Clock,
        random: Randomness | None = None,
        remaining: Callable[[], timedelta] | None = None,
        error_hook: Callable[[Exception], object] | None = None,
    ) -> None:
        if random is None and isinstance(policy.sleep, Backoff) and policy.sleep.jitter:
            raise ValueError(f"{policy.name}: jitter needs randomness: pass random=")
        self._policy = policy
        self._clock = clock
        self._random = random
        self._remaining = remaining
        self._hook = error_hook
        self._last_error: Exception | None = None
        self.grain = _NONE
        self.tries = 0
        self.started = clock.now()

    def after_value(self, value: object) -> timedelta:
        """Return how long to sleep after a value that was no success.

        Raises:
            NotReadyError: that was the last try.
        """
        self.tries += 1
        pause = self._pause()
        if pause is not None:
            return pause
        error = NotReadyError(
            reason=self._policy.name,
            last_value=value,
            last_error=self._last_error,
            tries=self.tries,
            elapsed=self._clock.now() - self.started,
        )
        if self._hook is not None:
            self._hook(error)
        raise error from self._last_error

    def after_error(self, error: Exception) -> timedelta | None:
        """Return how long to sleep after an error; None when it is to be raised."""
        self.tries += 1
        if self._hook is not None:
            self._hook(error)
        if not self._policy.catches(error):
            return None
        self._last_error = error
        return self._pause()

    def left(self) -> timedelta:
        """Return how much time is left; `timedelta.max` when nothing limits it."""
        left = timedelta.max
        if self._policy.timeout is not None:
            left = self.started + self._policy.timeout - self._clock.now()
        return left if self._remaining is None else min(left, self._remaining())

    def _pause(self) -> timedelta | None:
        if self.tries >= self._policy.limit:
            return None
        # At the deadline itself it is over: a wait that does not sleep would else go on for ever.
        left = self.left()
        if left <= _NONE or left < self.grain:
            return None
        match self._policy.sleep:
            case None:
                return _NONE
            case Backoff() as backoff:
                return min(backoff.delay(self.tries, self._random), left)
            case steady:
                return min(steady, left)


def wait_for(
    f: Callable[[], T],
    *,
    clock: Clock,
    random: Randomness | None = None,
    remaining: Callable[[], timedelta] | None = None,
    error_hook: Callable[[Exception], object] | None = None,
    **options: Unpack[WaitOptions],
) -> T:
    """Return the first successful value of `f`, a function without arguments; see `WaitPolicy.wait`.

    >>> from chalicelib.clock import ManualClock
    >>> answers = iter([None, "", "ready"])
    >>> wait_for(lambda: next(answers), clock=ManualClock())
    'ready'

    Args:
        f: what is tried.
        clock: tells the time and sleeps.
        random: see `Means`.
        remaining: see `Means`.
        error_hook: see `Means`.
        options: the fields of `WaitPolicy`: `sleep`, `tries`, `timeout`, `catch`, `success`, `name`.
    """
    policy = WaitPolicy(**options)
    return policy.wait(f, clock=clock, random=random, remaining=remaining, error_hook=error_hook)


async def wait_for_async(
    f: Callable[[], Awaitable[T]],
    *,
    clock: Clock,
    sleeper: Callable[[timedelta], Awaitable[object]],
    random: Randomness | None = None,
    remaining: Callable[[], timedelta] | None = None,
    error_hook: Callable[[Exception], object] | None = None,
    **options: Unpack[WaitOptions],
) -> T:
    """Do what `wait_for` does, with an awaited `f`; `sleeper` sleeps, `clock` only tells the time."""
    return await WaitPolicy(**options).wait_async(
        f,
        clock=clock,
        sleeper=sleeper,
        random=random,
        remaining=remaining,
        error_hook=error_hook,
    )
