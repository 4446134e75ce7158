"""How a host is: room, memory, load, its clock, its LXD. As values, and as sentences for people.

Rule of this file: pure. The drivers look, this judges. Each threshold has its reason beside it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

__all__ = [
    "ClockReading",
    "HostHealth",
    "LxdAnswer",
    "Room",
    "load_per_core",
    "size_text",
    "stalled",
]

_FULL = 0.02
_FULL_BYTES = 2 << 30
"""A file system with less than both is full: a large one has room at 2 %, and a small one below
2 GiB. Not zero, since btrfs refuses writes while free space is shown: it takes room for its
metadata in chunks of up to 1 GiB, and keeps them twice (btrfs(5), "block groups, chunks")."""
_LOAD = 4.0
"""Per core, over five minutes: a process waits four times as long as it runs, so that a step takes
some five times as long and the limits for steps, which are in minutes, are met by healthy ones."""
_STALLED = 50.0
"""Per cent of the last minute in which nothing at all went on for want of it (`full` of
Documentation/accounting/psi.rst). systemd-oomd begins to kill at 60 (oomd.conf(5))."""
_MEMORY_BYTES = 100 << 20
"""The kubelet evicts below `memory.available<100Mi` (its default of `evictionHard`)."""
_SKEW = timedelta(seconds=5)
"""Five times what an HTTP date can tell, and far above what a machine shows whose clock is kept:
NTP steps a clock that is off by 0.128 s (RFC 5905, STEPT). AWS refuses signatures at 5 min."""
_SLOW = timedelta(seconds=5)
"""LXD tells its version in 1 ms (median of 20, 2026-11-26, two shared cores)."""
_KIB = 1024
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def size_text(size: int) -> str:
    """Return a number of bytes for people.

    >>> size_text(64 << 20), size_text(4 << 30), size_text(1500 << 20), size_text(12)
    ('64 MiB', '4.0 GiB', '1.5 GiB', '12 bytes')
    """
    value, unit = float(size), 0
    while value >= _KIB and unit < len(_UNITS) - 1:
        value, unit = value / _KIB, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if _UNITS[unit] in {"GiB", "TiB"} else _round(value, unit)


def _round(value: float, unit: int) -> str:
    return f"{value:.0f} {_UNITS[unit]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What is left on a file system.

    Attributes:
        what: what is kept there, such as `the pool of its containers`.
        free_bytes, total_bytes: for whoever is not root.
        free_inodes, total_inodes: 0 and 0 where they do not run out (btrfs, zfs).
    """

    what: str
    free_bytes: int
    total_bytes: int
    free_inodes: int = 0
    total_inodes: int = 0

    def problem(self) -> str:
        """Return what is wrong with it, or the empty string.

        >>> Room(what="its pool", free_bytes=0, total_bytes=1 << 30).problem()
        "the host's disk is full: 0 bytes of 1.0 GiB are free for its pool"
        """
        least = min(_FULL_BYTES, _FULL * self.total_bytes)
        if self.total_bytes and self.free_bytes <= least:
            free, total = size_text(self.free_bytes), size_text(self.total_bytes)
            return f"the host's disk is full: {free} of {total} are free for {self.what}"
        if self.total_inodes and self.free_inodes <= _FULL * self.total_inodes:
            free = f"{self.free_inodes} of {self.total_inodes}"
            return f"the host's disk is out of inodes: {free} are free for {self.what}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """A host's clock, read between two readings of ours.

    Attributes:
        before, after: our clock just before the question, and just after the answer.
        host: the host's clock at some moment between them, cut off to its resolution.
        resolution: an HTTP date is in whole seconds.
    """

    before: datetime
    host: datetime
    after: datetime
    resolution: timedelta = timedelta(seconds=1)

    def skew(self) -> timedelta:
        """Return how far the host's clock is ahead of ours, at least; negative: behind.

        Zero when the reading can be explained without a difference, however slow the answer was.
        """
        least = self.host - self.after
        most = self.host + self.resolution - self.before
        if least > timedelta(0):
            return least
        return min(most, timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class LxdAnswer:
    """What LXD said when it was asked how it is.

    Attributes:
        version: of LXD; empty when there was no answer.
        api_version: of its API.
        took: the time to the answer.
        error: why there was none.
    """

    version: str = ""
    api_version: str = ""
    took: timedelta = timedelta(0)
    error: str = ""

    def problem(self) -> str:
        """Return what is wrong with it, or the empty string."""
        if self.error:
            return f"its LXD does not answer: {self.error}"
        if self.took > _SLOW:
            return f"its LXD took {self.took.total_seconds():.0f} s to answer"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostHealth:
    """How a host is. What was not looked at has the value that is no problem.

    Attributes:
        rooms: the file systems that attempts need.
        lxd: its LXD.
        clock_skew: how far its clock is ahead of ours, at least.
        load: runnable and blocked tasks per core, over five minutes.
        memory_stalled, io_stalled: per cent of the last minute in which nothing went on for want
            of memory, or of its disk.
        free_memory_bytes: what can be had without swapping; None when not said.
    """

    rooms: tuple[Room, ...] = ()
    lxd: LxdAnswer = field(default_factory=LxdAnswer)
    clock_skew: timedelta = timedelta(0)
    load: float = 0.0
    memory_stalled: float = 0.0
    io_stalled: float = 0.0
    free_memory_bytes: int | None = None

    def full(self) -> tuple[str, ...]:
        """Return which file systems are full: what alone may end an attempt."""
        return tuple(filter(None, (room.problem() for room in self.rooms)))

    def strained(self) -> tuple[str, ...]:
        """Return what else is wrong: attempts go on, but slower, or with strange times."""
        return tuple(self._strained())

    def problems(self) -> tuple[str, ...]:
        """Return all that is wrong, the gravest first."""
        return self.full() + self.strained()

    def sentence(self) -> str:
        """Return what is wrong, or the empty string when nothing is.

        >>> HostHealth(load=9.5, clock_skew=timedelta(seconds=-42)).sentence()
        "the host's clock is 42 s behind; its load is 9.5 per core"
        """
        return "; ".join(self.problems())

    def _strained(self) -> Iterator[str]:
        if problem := self.lxd.problem():
            yield problem
        if abs(self.clock_skew) >= _SKEW:
            way = "ahead" if self.clock_skew > timedelta(0) else "behind"
            yield f"the host's clock is {abs(self.clock_skew).total_seconds():.0f} s {way}"
        if self.free_memory_bytes is not None and self.free_memory_bytes < _MEMORY_BYTES:
            yield f"the host has {size_text(self.free_memory_bytes)} of memory left"
        if self.load >= _LOAD:
            yield f"its load is {self.load:.1f} per core"
        for what, share in (("memory", self.memory_stalled), ("its disk", self.io_stalled)):
            if share >= _STALLED:
                yield f"the host stood still for want of {what} for {share:.0f} % of a minute"


def load_per_core(text: str, cores: int) -> float:
    """Return the load of five minutes per core from the text of `/proc/loadavg`; 0 if it is none.

    >>> load_per_core("0.15 8.03 0.01 1/91 5344", 2)
    4.015
    """
    match = re.match(r"[0-9.]{1,20} ([0-9]{1,9}\.[0-9]{1,9}) ", text)
    return float(match[1]) / max(cores, 1) if match else 0.0


def stalled(text: str) -> float:
    r"""Return `full avg60` from the text of a file below `/proc/pressure`; 0 if it has none.

    >>> stalled("some avg10=1.00 avg60=9.00 avg300=1.00 total=1\nfull avg10=0.00 avg60=2.50 total=1")
    2.5
    """
    match = re.search(r"^full [^\n]*?\bavg60=([0-9]{1,3}\.[0-9]{1,9})", text, re.MULTILINE)
    return float(match[1]) if match else 0.0
