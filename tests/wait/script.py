"""What a waited-for function does at each call, and a clock that remembers each sleep."""

from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any

from chalicelib.clock import ManualClock


class RecordingClock(ManualClock):
    """A manual clock that keeps the sleeps asked of it, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    def sleep(self, duration: timedelta) -> None:
        """Remember the sleep, and move the time."""
        self.slept.append(duration.total_seconds())
        super().sleep(duration)

    async def sleep_async(self, duration: timedelta) -> None:
        """Do the same for an asynchronous wait."""
        self.sleep(duration)


class Script:
    """A function that returns, or raises, one entry after the other; the last one for ever.

    Each call takes `takes_s` seconds of the clock.
    """

    def __init__(
        self, *entries: object, clock: ManualClock | None = None, takes_s: float = 0
    ) -> None:
        self.entries: Sequence[object] = entries
        self.clock = clock
        self.takes_s = takes_s
        self.calls = 0

    def __call__(self) -> Any:
        """Play the next entry."""
        entry = self.entries[min(self.calls, len(self.entries) - 1)]
        self.calls += 1
        if self.clock is not None:
            self.clock.advance(timedelta(seconds=self.takes_s))
        if isinstance(entry, Exception):
            raise entry
        return entry

    async def awaited(self) -> Any:
        """Play the next entry, to an asynchronous wait."""
        return self()


class Share:
    """Not random: always the same part of the range."""

    def __init__(self, part: float) -> None:
        self.part = part

    def uniform(self, a: float, b: float, /) -> float:
        """Return the part of the range from `a` to `b`."""
        return a + (b - a) * self.part


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never has to wait for anything outside."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waited for something outside")


Wait = Callable[..., Any]
"""`wait(script, clock, **options)`: `wait_for`, or its asynchronous twin."""
