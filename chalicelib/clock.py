"""The only file that reads the time or sleeps.

Everything else takes a `Clock` or an aware `datetime`, so that tests decide what time it is.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

__all__ = ["Clock", "ManualClock", "SteadyClock", "SystemClock", "from_ms", "to_ms"]


class Clock(Protocol):
    """Tells the time and waits."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...

    def sleep(self, duration: timedelta) -> None:
        """Return after `duration`; a zero or negative one returns at once."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's time in UTC."""
        return datetime.now(UTC)

    def sleep(self, duration: timedelta) -> None:
        """Block this thread for `duration`."""
        time.sleep(max(0.0, duration.total_seconds()))


class SteadyClock(SystemClock):
    """A clock that nobody can set: for waits within one process.

    It begins at the machine's time and then follows a counter that only goes forward. The machine's
    clock may be set meanwhile, which would end a wait at once or keep it for hours; and it may come
    to differ from the machine's, so that no time of this clock may be stored or sent.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._origin = super().now() - timedelta(seconds=seconds())

    def now(self) -> datetime:
        """Return the time of the start, and what the counter has counted since."""
        return self._origin + timedelta(seconds=self._seconds())


class ManualClock:
    """A clock that stands still until `sleep` or `advance` moves it. For tests."""

    def __init__(self, start: datetime | None = None) -> None:
        self._now = start or datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the time set so far."""
        return self._now

    def sleep(self, duration: timedelta) -> None:
        """Move the time forward by `duration` and return at once."""
        self.advance(max(timedelta(0), duration))

    def advance(self, duration: timedelta) -> None:
        """Move the time by `duration`."""
        self._now += duration


def to_ms(moment: datetime) -> int:
    """Return Unix milliseconds, the form in which items and messages carry times.

    >>> to_ms(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000
    """
    return round(moment.timestamp() * 1000)


def from_ms(moment_ms: int) -> datetime:
    """Return the aware UTC time of Unix milliseconds.

    >>> from_ms(1000).isoformat()
    '1970-01-01T00:00:01+00:00'
    """
    return datetime.fromtimestamp(moment_ms / 1000, UTC)
