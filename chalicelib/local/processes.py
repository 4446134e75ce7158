"""Background processes that outlive the command that started them, and how to find them again.

A process is known by its id and its start time, as the kernel counts it: an id that was reused by
another program is never taken for ours, and never killed.
"""

import contextlib
import hashlib
import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path

from chalicelib.clock import SteadyClock
from chalicelib.errors import LocalStackError, NotReadyError
from chalicelib.shell import command
from chalicelib.transport import Child, start_child
from chalicelib.wait import WaitPolicy

__all__ = [
    "Daemon",
    "find",
    "find_living",
    "holder_of_port",
    "kill",
    "mark_of",
    "resident_kib",
    "start",
    "start_time",
    "stop",
    "wait_gone",
    "wait_ready",
]

_POLL = timedelta(milliseconds=20)
# The callers know how long.
_GONE = WaitPolicy(name="the end of a process", sleep=_POLL, tries=None)
_READY_OR_ENDED = WaitPolicy(name="a process that is ready", sleep=_POLL, tries=None)
_TAIL_LINES = 15
_children: dict[int, Child] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A background process of ours.

    Attributes:
        name: also names its record and its log file.
        pid: process id; it leads its own session and process group.
        started: kernel clock ticks from boot to its start.
        mark: what it was started from; a process with an old mark is to be replaced.
    """

    name: str
    pid: int
    started: int
    mark: str = ""

    def alive(self) -> bool:
        """Return whether this very process runs; a zombie does not."""
        return start_time(self.pid) == self.started


def start_time(pid: int) -> int | None:
    """Return the start of a running process in clock ticks after boot; None when it is gone."""
    child = _children.get(pid)
    if child is not None and child.ended():
        return None
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    # A killed leader is a zombie while its threads still end, and with them its open ports.
    ended = fields[0] in "ZX" and int(fields[17]) <= 1
    return None if ended else int(fields[19])


def start(
    arguments: Sequence[str],
    *,
    name: str,
    folder: Path,
    log: Path,
    environment: Mapping[str, str],
    mark: str = "",
) -> Daemon:
    """Start a program detached, with its output appended to `log`, and record it in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    child = start_child(command(*arguments), output=log, environment=environment)
    _children[child.pid] = child
    daemon = Daemon(name=name, pid=child.pid, started=start_time(child.pid) or 0, mark=mark)
    part = folder / f"{name}.part"
    part.write_text(json.dumps(asdict(daemon)))
    part.rename(folder / f"{name}.json")
    return daemon


def find(name: str, folder: Path) -> Daemon | None:
    """Return the recorded process of that name, alive or not; None when there is no record."""
    try:
        return Daemon(**json.loads((folder / f"{name}.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def find_living(name: str, folder: Path) -> Daemon | None:
    """Return the recorded process of that name if it runs."""
    daemon = find(name, folder)
    return daemon if daemon and daemon.alive() else None


def stop(name: str, folder: Path, *, grace_s: float = 20.0) -> bool:
    """Stop the recorded process: SIGTERM, then SIGKILL to its group after `grace_s`.

    Returns:
        Whether it ended by itself (also when it was not running). The record is removed.
    """
    daemon, graceful = find_living(name, folder), True
    if daemon:
        os.kill(daemon.pid, signal.SIGTERM)
        graceful = wait_gone(daemon, limit_s=grace_s)
        if not graceful:
            os.killpg(daemon.pid, signal.SIGKILL)
            wait_gone(daemon, limit_s=grace_s)
    (folder / f"{name}.json").unlink(missing_ok=True)
    return graceful


def kill(name: str, folder: Path, *, limit_s: float = 10.0) -> None:
    """Kill the recorded process without warning, as a crash would; return when it is gone."""
    daemon = find_living(name, folder)
    if daemon:
        os.kill(daemon.pid, signal.SIGKILL)
        wait_gone(daemon, limit_s=limit_s)


def mark_of(*files: Path) -> str:
    """Return a digest of what a process is started from."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:16]


def resident_kib(pid: int) -> int:
    """Return the memory of the process and its descendants in KiB; 0 when it is gone."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        parents.setdefault(parent, []).append(int(stat.parent.name))
    family, total = [pid], 0
    while family:
        member = family.pop()
        family += parents.get(member, [])
        try:
            status = Path(f"/proc/{member}/status").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in status.splitlines() if line[:6] == "VmRSS:")
    return total


def wait_gone(daemon: Daemon, *, limit_s: float) -> bool:
    """Return once the process has ended; False when it still runs after `limit_s`."""
    policy = replace(_GONE, timeout=timedelta(seconds=limit_s))
    try:
        return policy.wait(lambda: not daemon.alive(), clock=SteadyClock())
    except NotReadyError:
        return False


def wait_ready(daemon: Daemon, ready: Callable[[], bool], *, log: Path, limit_s: float) -> None:
    """Return once `ready()` holds.

    Raises:
        LocalStackError: the process ended, or is not ready after `limit_s`; with its last words.
    """

    def ready_or_ended() -> str | None:
        return "ready" if ready() else None if daemon.alive() else "ended"

    policy = replace(_READY_OR_ENDED, timeout=timedelta(seconds=limit_s))
    try:
        state = policy.wait(ready_or_ended, clock=SteadyClock())
    except NotReadyError as error:
        raise _not_ready(daemon, "is not ready", log) from error
    if state == "ended":
        raise _not_ready(daemon, state, log)


def _not_ready(daemon: Daemon, state: str, log: Path) -> LocalStackError:
    lines = log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
    return LocalStackError(
        reason="\n  ".join([f"{daemon.name} {state}; its last words:", *lines]),
        cure=f"read {log}, then run ./berth doctor",
    )


def holder_of_port(port: int) -> str | None:
    """Return who listens on that port of 127.0.0.1 or of all addresses, as `name (pid n)`."""
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    for folder in Path("/proc").glob("[0-9]*"):
        if _links(folder / "fd") & inodes:
            name = (folder / "comm").read_text().strip()
            return f"{name} (pid {folder.name})"
    return "another program"


def _links(folder: Path) -> set[str]:
    links = set()
    with contextlib.suppress(OSError):  # the process ended, or is another user's
        for entry in folder.iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                links.add(str(entry.readlink()))
    return links


def _listening_inodes(port: int) -> set[str]:
    listening, found = "0A", set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == listening and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found
