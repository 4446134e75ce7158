"""How often and how long to try again, as a value.

One declaration serves two executors: Python code that waits, and a Step Functions `Retry` block. A
test holds the state machines' blocks equal to `RetryPolicy.as_retry`, and Python runs
`RetryPolicy.as_wait`. What a block cannot say (a false answer, a limit in time) is a `WaitPolicy`.
The named policies belong to those who call.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chalicelib.wait.backoff import Backoff, Randomness
from chalicelib.wait.waiting import WaitPolicy, did_not_raise

__all__ = ["RetryPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Which errors are tried again, how often, and after how long.

    The words mean what they mean in the Amazon States Language, where they come from.

    Attributes:
        name: what is retried, for a log line.
        errors: the classes to retry; a string stands for an error that has no class here, such as
            `Lambda.ServiceException`, which only Step Functions can see.
        interval: wait before the first retry; above zero.
        backoff_rate: factor from one wait to the next; 1 or more.
        max_attempts: retries after the first try, so calls are at most one more.
        max_delay: no wait is longer.
        jitter: True draws each wait evenly between zero and its length, so that those who failed
            together do not come back together.
    """

    name: str
    errors: tuple[type[Exception] | str, ...]
    interval: timedelta
    backoff_rate: float
    max_attempts: int
    max_delay: timedelta
    jitter: bool

    def __post_init__(self) -> None:
        if self.interval <= timedelta(0) or self.max_delay < self.interval:
            raise ValueError(f"{self.name}: the interval must be above zero and within max_delay")
        if self.backoff_rate < 1 or self.max_attempts < 0:
            raise ValueError(f"{self.name}: waits must not shrink, attempts must not be negative")

    def delays(self, random: Randomness) -> Iterator[timedelta]:
        """Return the waits before each retry: `max_attempts` of them, none above `max_delay`."""
        backoff = self._backoff()
        return (backoff.delay(number, random) for number in range(1, self.max_attempts + 1))

    def as_wait(self) -> WaitPolicy:
        """Return the policy for Python: tries again what raises one of `errors`.

        Names of errors that have no class here are left out: nothing in Python raises them.
        """
        return WaitPolicy(
            name=self.name,
            sleep=self._backoff(),
            tries=self.max_attempts + 1,
            catch=tuple(error for error in self.errors if not isinstance(error, str)),
            success=did_not_raise,
        )

    def as_retry(self) -> dict[str, Any]:
        """Return the policy as one entry of a Step Functions `Retry` block.

        Source: https://states-language.net/spec.html#errors, "Retrying after error".

        Raises:
            ValueError: a duration is not in whole seconds, which is all that the block can say.
        """
        return {
            "ErrorEquals": [
                error if isinstance(error, str) else error.__name__ for error in self.errors
            ],
            "IntervalSeconds": self._whole_seconds(self.interval),
            # A float: validators refuse 2 where they take 2.0.
            "BackoffRate": float(self.backoff_rate),
            "MaxAttempts": self.max_attempts,
            "MaxDelaySeconds": self._whole_seconds(self.max_delay),
            "JitterStrategy": "FULL" if self.jitter else "NONE",
        }

    def _backoff(self) -> Backoff:
        return Backoff(
            first=self.interval, rate=self.backoff_rate, cap=self.max_delay, jitter=self.jitter
        )

    def _whole_seconds(self, duration: timedelta) -> int:
        if duration % timedelta(seconds=1):
            raise ValueError(f"{self.name}: {duration} is not in whole seconds")
        return duration // timedelta(seconds=1)
