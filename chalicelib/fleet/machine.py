"""What this machine's kernel says: its log, the counters of its control groups, its load, its room.

A driver: it reads files, and what they mean is said by the pure modules beside it. What the kernel
does not have, or does not show to us, counts as not said: nothing here raises for that.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from chalicelib.fleet.cgroups import MemoryCounters, payload_names
from chalicelib.fleet.health import HostHealth, Room, load_per_core, stalled
from chalicelib.fleet.kernel_log import KernelLog

__all__ = [
    "log_drift",
    "read_counters",
    "read_health",
    "read_kernel_log",
    "read_room",
    "since_boot",
]

_KERNEL_LOG = Path("/dev/kmsg")
_CGROUPS = Path("/sys/fs/cgroup")
_PROC = Path("/proc")
_RECORD_BYTES = 8192
_MOST_RECORDS = 1_000_000
"""Only so that a host that writes faster than we read is left: the largest ring holds fewer."""
_MOST_GROUPS = 1000
_LEAST_DRIFT = timedelta(seconds=1)
_DRIFT_SHARE = 1e-4


def read_kernel_log(path: Path = _KERNEL_LOG) -> KernelLog:
    """Return what the kernel's log says of memory; one that begins nowhere if it may not be read.

    Opening `/dev/kmsg` starts at the oldest record that is left, also after `dmesg --clear`, which
    only moves a mark. 2,000 records took 10 ms (measured 2026-11-26, median of 20).
    """
    return KernelLog.read(islice(_records(path), _MOST_RECORDS))


def _records(path: Path) -> Iterator[str]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        with suppress(BlockingIOError):
            while True:
                # EPIPE says that records were overwritten while we read; the next read goes on, and
                # the numbers of the records show the gap.
                with suppress(BrokenPipeError):
                    record = os.read(handle, _RECORD_BYTES)
                    if not record:
                        return
                    yield record.decode(errors="replace")
    finally:
        os.close(handle)


def since_boot(moment: datetime, *, now: datetime) -> timedelta:
    """Return how long after the boot a moment was by the machine's clock; negative before it."""
    return _uptime() - (now - moment)


def log_drift() -> timedelta:
    """Return by how much a time in the kernel's log may now differ from one by the clock.

    The log goes by a counter that nobody corrects, the clock by one that is kept. They drift apart
    as far as the machine's crystal is off: here by less than 10 ms in 10 hours (measured
    2026-11-26), at worst by some 100 millionths, which is 9 s a day.
    """
    return _LEAST_DRIFT + _uptime() * _DRIFT_SHARE


def _uptime() -> timedelta:
    match = re.match(r"([0-9]{1,12}\.[0-9]{1,9}) ", _text(_PROC / "uptime"))
    return timedelta(seconds=float(match[1])) if match else timedelta(0)


def read_counters(project: str, container: str, *, root: Path = _CGROUPS) -> MemoryCounters:
    """Return what the kernel counts for a container while its control group is there.

    v1 counts a kill in the group of the process alone, so the groups below are asked too.
    """
    for folder in (root, root / "memory"):
        for name in payload_names(project, container):
            files = _memory_files(folder / name)
            if files:
                found = MemoryCounters.parse(files)
                if "memory.oom_control" not in files:
                    return found
                return MemoryCounters(
                    kills=_kills_below(folder / name),
                    limit_bytes=found.limit_bytes,
                    peak_bytes=found.peak_bytes,
                )
    return MemoryCounters()


def _kills_below(folder: Path) -> int | None:
    groups = (Path(path) for path, _, _ in os.walk(folder))
    counts = [
        MemoryCounters.parse(_memory_files(group)).kills for group in islice(groups, _MOST_GROUPS)
    ]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _memory_files(folder: Path) -> Mapping[str, str]:
    names = (
        "memory.events",
        "memory.max",
        "memory.peak",
        "memory.oom_control",
        "memory.limit_in_bytes",
        "memory.max_usage_in_bytes",
    )
    return {name: text for name in names if (text := _text(folder / name))}


def read_room(path: Path, what: str) -> Room:
    """Return what is left on the file system of a folder.

    Raises:
        OSError: there is no such folder.
    """
    found = os.statvfs(path)
    return Room(
        what=what,
        free_bytes=found.f_bavail * found.f_frsize,
        total_bytes=found.f_blocks * found.f_frsize,
        free_inodes=found.f_favail,
        total_inodes=found.f_files,
    )


def read_health() -> HostHealth:
    """Return the machine's load and memory; nothing of its file systems, its LXD or its clock."""
    available = re.search(
        r"^MemAvailable: +([0-9]{1,15}) kB$", _text(_PROC / "meminfo"), re.MULTILINE
    )
    return HostHealth(
        load=load_per_core(_text(_PROC / "loadavg"), os.cpu_count() or 1),
        memory_stalled=stalled(_text(_PROC / "pressure/memory")),
        io_stalled=stalled(_text(_PROC / "pressure/io")),
        free_memory_bytes=int(available[1]) * 1024 if available else None,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
