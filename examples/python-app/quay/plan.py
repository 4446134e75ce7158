"""Give each ship the first berth that is free when it arrives."""

import csv
import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import time
from typing import TextIO


@dataclass(frozen=True, order=True)
class Call:
    """One visit of a ship."""

    arrives: time
    leaves: time
    ship: str

    def __post_init__(self) -> None:
        if self.leaves <= self.arrives:
            raise ValueError(f"{self.ship} leaves before it arrives")


@dataclass(frozen=True)
class Mooring:
    """A visit and its berth; `berth` is None when the ship has to wait outside."""

    call: Call
    berth: int | None


def read_calls(lines: TextIO) -> list[Call]:
    """Read `ship,arrives,leaves` rows below a heading."""
    return [
        Call(time.fromisoformat(row["arrives"]), time.fromisoformat(row["leaves"]), row["ship"])
        for row in csv.DictReader(lines)
    ]


def assign(calls: Iterable[Call], berths: int) -> Sequence[Mooring]:
    """Return a mooring for each call in order of arrival; berths are numbered from 1."""
    free = list(range(1, berths + 1))
    taken: list[tuple[time, int]] = []
    moorings = []
    for call in sorted(calls):
        while taken and taken[0][0] <= call.arrives:
            heapq.heappush(free, heapq.heappop(taken)[1])
        berth = heapq.heappop(free) if free else None
        if berth is not None:
            heapq.heappush(taken, (call.leaves, berth))
        moorings.append(Mooring(call, berth))
    return moorings
