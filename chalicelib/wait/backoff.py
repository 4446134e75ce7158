"""How long to wait before each next try. A value: it neither waits nor draws by itself."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

__all__ = ["Backoff", "Randomness"]


class Randomness(Protocol):
    """Where jitter comes from; a `random.Random` is one."""

    def uniform(self, a: float, b: float, /) -> float:
        """Return a number from `a` to `b`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waits that grow from `first` by `rate` up to `cap`.

    >>> steady = Backoff(first=timedelta(seconds=1), rate=2, cap=timedelta(seconds=5))
    >>> [steady.delay(number).seconds for number in (1, 2, 3, 4, 5)]
    [1, 2, 4, 5, 5]

    Attributes:
        first: the wait after the first try; zero or more.
        rate: factor from one wait to the next; 1 or more. Default: 2.
        cap: no wait is longer.
        jitter: True draws each wait evenly between zero and its length, so that those who failed
            together do not come back together. Default: False.
    """

    first: timedelta
    rate: float = 2.0
    cap: timedelta
    jitter: bool = False

    def __post_init__(self) -> None:
        if self.first < timedelta(0) or self.cap < self.first:
            raise ValueError("the first wait must not be negative, nor above the cap")
        if not self.rate >= 1:  # so written, it refuses NaN too
            raise ValueError("waits must not shrink")

    def delay(self, number: int, random: Randomness | None = None) -> timedelta:
        """Return the wait after try `number`, the first being 1.

        Raises:
            ValueError: there is jitter, and no `random` to draw it from.
        """
        try:
            full = min(self.first * self.rate ** (number - 1), self.cap)
        except OverflowError:  # after a few hundred tries
            full = self.cap if self.first else self.first
        if not self.jitter:
            return full
        if random is None:
            raise ValueError("jitter needs randomness: pass random=")
        return full * random.uniform(0, 1)
