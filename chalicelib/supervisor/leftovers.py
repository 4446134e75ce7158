"""Output pipes that a step left to processes in the background.

LXD 5.0 gives the exit status of a command only when its output pipes are at their end. A server
started with `&` would hold the step for ever; killing it would break builds that start one step's
server for the next. So its pipe is taken over: we open the same pipe for reading, which keeps it
alive, and drop our websocket; then one byte written into it makes LXD notice that nobody listens,
close its end, and report. Only then do we read the pipe ourselves: before, we would race LXD for that
byte (seen under load: LXD never noticed). LXD swallows the byte, a newline, and what the processes
in the background print in that instant.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from chalicelib.supervisor.processes import StepProcesses

__all__ = ["Leftovers"]

_PROC = Path("/proc")
_READ_BYTES = 64 * 1024
_ACCESS = 0o3
_OCTAL = 8
_MOST_PROCESSES = 500


class Leftovers:
    """The output pipes of one step that has ended, as far as its processes still hold them."""

    def __init__(self, processes: StepProcesses, sink: Callable[[bytes], None]) -> None:
        """Prepare. `sink` takes the output of what is left."""
        self._processes = processes
        self._sink = sink
        self._adopted: dict[str, int] = {}

    def adopt(self, release: Callable[[], None]) -> None:
        """Take over the pipes, and make LXD let go of them.

        May be repeated: a pipe that was missed, since its holder ended while we looked, is found
        the next time.

        Args:
            release: drops LXD's streams; called only when there is a pipe to take over.
        """
        opened = self._open_pipes()
        if opened:
            release()
        self._adopted.update(opened)
        for reader in opened.values():
            _nudge(reader)

    def drain(self) -> None:
        """Read the pipes in threads until they end. Call it once, when LXD has reported."""
        for reader in self._adopted.values():
            threading.Thread(
                target=_drain, args=(reader, self._sink), name="leftovers", daemon=True
            ).start()

    def _open_pipes(self) -> dict[str, int]:
        opened: dict[str, int] = {}
        for pipe, path in _outward_pipes(self._processes).items():
            if pipe in self._adopted:
                continue
            reader = _open(path, os.O_RDONLY)
            if reader is not None:
                opened[pipe] = reader
        return opened


def _outward_pipes(processes: StepProcesses) -> dict[str, Path]:
    """Return the pipes that a step's processes write and nobody in the container reads.

    One that the container reads itself is a pipe between two of its own processes. Each process is
    looked at once, and none of too many: a fork bomb has thousands, each with pipes. Those are not
    taken over, and so the step is ended by force.
    """
    written: dict[str, Path] = {}
    read: set[str] = set()
    for count, pid in enumerate(processes.neighbours()):
        if count >= _MOST_PROCESSES:
            return {}
        own = processes.owns(pid)
        for path, pipe, access in _pipes(pid):
            if access == os.O_RDONLY:
                read.add(pipe)
            elif own:
                written.setdefault(pipe, path)
    return {pipe: path for pipe, path in written.items() if pipe not in read}


def _pipes(pid: int) -> Iterator[tuple[Path, str, int]]:
    """Yield (path, pipe, access mode) of each pipe that a process has open."""
    try:
        paths = list((_PROC / str(pid) / "fd").iterdir())
    except OSError:
        return
    for path in paths:
        pipe = _link(path)
        if pipe.startswith("pipe:"):
            yield path, pipe, _access(pid, path.name)


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""


def _access(pid: int, descriptor: str) -> int:
    try:
        text = (_PROC / str(pid) / "fdinfo" / descriptor).read_text()
    except OSError:
        return os.O_RDONLY
    flags = next((line.split()[1] for line in text.splitlines() if line.startswith("flags:")), "0")
    return int(flags, _OCTAL) & _ACCESS


def _open(path: Path, flags: int) -> int | None:
    try:
        return os.open(path, flags | os.O_CLOEXEC)
    except OSError:
        return None


def _nudge(reader: int) -> None:
    writer = _open(_PROC / "self" / "fd" / str(reader), os.O_WRONLY | os.O_NONBLOCK)
    if writer is None:
        return
    try:
        os.write(writer, b"\n")
    except OSError:
        return  # the pipe is full, so LXD has something to stumble over already
    finally:
        os.close(writer)


def _drain(reader: int, sink: Callable[[bytes], None]) -> None:
    try:
        while True:
            data = os.read(reader, _READ_BYTES)
            if not data:
                return
            sink(data)
    except OSError:
        return  # the disk is full; the step it belonged to is over
    finally:
        os.close(reader)
