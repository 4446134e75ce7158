"""The fake table's index, which may lag: ghosts stay, new entries are not there yet.

Each change of an item's entry is a removal, an addition, or both, one after the other; each takes
effect at its own time, but those of one item never overtake each other.
"""

import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from chalicelib.clock import Clock

__all__ = ["Bounds", "Entry", "Lag", "LaggingIndex", "Where", "within"]

Lag = Callable[[], timedelta]
"""Asked once for each removal and addition."""

T = TypeVar("T")

Key = tuple[str, str]
Where = tuple[str, str] | None
"""An item's place in the index: (q, o); None when it has none."""


class Entry(NamedTuple):
    """An entry of a partition, in the order of the index: the table's keys break ties."""

    o: str
    pk: str
    sk: str


class Bounds(NamedTuple):
    """Between what the sort key lies, inclusive or not; None is unbounded."""

    low: str | None = None
    high: str | None = None
    low_included: bool = True
    high_included: bool = True


class LaggingIndex:
    """Entries by partition, in order. Not safe to share between threads: the table's lock is."""

    def __init__(self, *, clock: Clock, lag: Lag | None) -> None:
        self._clock = clock
        self._lag = lag
        self._shown: dict[Key, tuple[str, str]] = {}
        self._partitions: dict[str, list[Entry]] = {}
        self._coming: list[tuple[datetime, int, Key, Where]] = []
        self._latest: dict[Key, datetime] = {}
        self._count = 0

    def note(self, key: Key, before: Where, after: Where) -> None:
        """Take note of an item's new place; nothing happens when it is the old one."""
        if before == after:
            return
        for place in (None, after) if before and after else (after,):
            if self._lag is None:
                self._show(key, place)
            else:
                self._later(key, place, self._lag())

    def entries(
        self, partition: str, bounds: Bounds, after: Entry | None, *, forward: bool
    ) -> Iterator[Entry]:
        """Yield what is visible now of a partition, within the bounds, beyond `after`."""
        self._catch_up()
        found = self._partitions.get(partition, [])
        first, last = within(found, bounds, by=_order_of)
        if after is not None and forward:
            first = max(first, bisect_right(found, after))
        elif after is not None:
            last = min(last, bisect_left(found, after))
        positions = range(first, last) if forward else range(last - 1, first - 1, -1)
        return (found[position] for position in positions)

    def _later(self, key: Key, place: Where, lag: timedelta) -> None:
        now = self._clock.now()
        at = max(now + lag, self._latest.get(key, now))
        self._latest[key] = at
        self._count += 1
        heapq.heappush(self._coming, (at, self._count, key, place))

    def _catch_up(self) -> None:
        if not self._coming:
            return
        now = self._clock.now()
        while self._coming and self._coming[0][0] <= now:
            at, _, key, place = heapq.heappop(self._coming)
            self._show(key, place)
            if self._latest.get(key) == at:
                del self._latest[key]

    def _show(self, key: Key, place: Where) -> None:
        shown = self._shown.pop(key, None)
        if shown is not None:
            entries = self._partitions[shown[0]]
            del entries[bisect_left(entries, Entry(shown[1], *key))]
        if place is not None:
            self._shown[key] = place
            insort(self._partitions.setdefault(place[0], []), Entry(place[1], *key))


def within(found: list[T], bounds: Bounds, *, by: Callable[[T], str]) -> tuple[int, int]:
    """Return the first position within the bounds and the one behind the last, in order of `by`."""
    first, last = 0, len(found)
    if bounds.low is not None:
        find = bisect_left if bounds.low_included else bisect_right
        first = find(found, bounds.low, key=by)
    if bounds.high is not None:
        find = bisect_right if bounds.high_included else bisect_left
        last = find(found, bounds.high, key=by)
    return first, last


def _order_of(entry: Entry) -> str:
    return entry.o
