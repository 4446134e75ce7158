"""Supervisors on this very machine: their files, their start, their end.

The one place that starts a program for an attempt; another driver would do the same on a machine
elsewhere. A supervisor is known by its command line, which names the attempt's directory. It is
never waited for, and outlives the Lambda that started it.
"""

import hashlib
import json
import os
import select
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from chalicelib.clock import SteadyClock, from_ms
from chalicelib.errors import HostUnreachableError, NotReadyError
from chalicelib.fleet.health import Room
from chalicelib.fleet.machine import read_room
from chalicelib.fleet.protocol import AttemptPlan
from chalicelib.model import attempt_name
from chalicelib.model.names import ATTEMPT_NAME
from chalicelib.shell import command
from chalicelib.transport import Child, start_child
from chalicelib.wait import WaitPolicy

__all__ = ["Supervisors"]

_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
}
"""All that a supervisor inherits: a Lambda's environment holds its credentials."""

_FOUND = WaitPolicy(
    name="a supervisor's command line",
    sleep=timedelta(milliseconds=1),
    timeout=timedelta(seconds=10),
)
_started: list[Child] = []


class Supervisors:
    """The supervisors that keep their files below one folder.

    Every method raises `OSError` when the system refuses (the disk is full, say).
    """

    def __init__(self, state_dir: Path, program: bytes, *, host: str) -> None:
        """Remember the folder and the zipapp; nothing is written yet."""
        self._state_dir = state_dir
        self._attempts = state_dir / "attempts"
        self._program = program
        self._host = host

    def start(self, plan: AttemptPlan) -> None:
        """Write the attempt's files and start its supervisor, unless it runs. Hold the job's lock.

        The ticket is written anew even then: a supervisor reads it before each request, and the
        newest names the task that now waits for the attempt.
        """
        directory = self.directory(plan.job, plan.fence)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(directory / "ticket", plan.ticket.encode())
        if not any(_processes(directory)):
            _write(directory / "attempt.json", json.dumps(plan.supervisor).encode())
            self._spawn(directory)

    def cancel(self, job: str, fence: int) -> bool:
        """Ask the attempt's supervisor to end; False when none runs."""
        found = list(_processes(self.directory(job, fence)))
        return sum(_signal(pid, signal.SIGTERM, wait_s=0) for pid in found) > 0

    def kill(self, job: str, fence: int, *, timeout_s: float) -> None:
        """End the attempt's supervisor without asking. Safe to repeat."""
        for pid in list(_processes(self.directory(job, fence))):
            if not _signal(pid, signal.SIGKILL, wait_s=timeout_s):
                reason = f"supervisor {pid} does not die"
                raise HostUnreachableError(host=self._host, reason=reason)

    def alive(self, job: str, fence: int) -> bool:
        """Return whether the attempt's supervisor runs."""
        return any(_processes(self.directory(job, fence)))

    def forget(self, job: str, fence: int) -> None:
        """Remove the attempt's files. Safe to repeat."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.directory(job, fence))

    def attempts(self) -> Sequence[tuple[str, int]]:
        """Return (job, fence) of each attempt directory."""
        folders = list(self._attempts.iterdir()) if self._attempts.is_dir() else []
        matches = (ATTEMPT_NAME.match(folder.name) for folder in folders)
        return [(match["job"], int(match["fence"])) for match in matches if match]

    def process(self, job: str, fence: int) -> int | None:
        """Return the number of the process that the attempt's supervisor is, or was, if it said."""
        try:
            text = (self.directory(job, fence) / "pid").read_text(encoding="ascii")
            return int(text[:20])
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None

    def started_at(self, job: str, fence: int) -> datetime | None:
        """Return when the attempt's supervisor was last started; None when it never was."""
        try:
            status = (self.directory(job, fence) / "attempt.json").stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return from_ms(int(status.st_mtime * 1000))

    def room(self) -> Room:
        """Return what is left on the file system of the attempts' files."""
        self._state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        return read_room(self._state_dir, "the attempts' files")

    def directory(self, job: str, fence: int) -> Path:
        """Return where the attempt's files are."""
        return self._attempts / attempt_name(job, fence)

    def _spawn(self, directory: Path) -> None:
        _started[:] = [child for child in _started if not child.ended()]  # leaves no zombies
        child = start_child(
            command("python3", "-I", self._put_program(), directory),
            output=directory / "supervisor.out",
            environment=_ENVIRONMENT,
            folder=Path("/"),
        )
        _started.append(child)
        self._wait_found(child)

    def _wait_found(self, child: Child) -> None:
        """Wait until `alive` sees it: Linux shows an empty command line for a moment after an exec.

        One in eight was empty right after the start (Linux 6.18, 2026-11-26). A task that looks then
        would start a second supervisor.
        """
        try:
            _FOUND.wait(lambda: _arguments(child.pid) or child.ended(), clock=SteadyClock())
        except NotReadyError as error:
            reason = f"supervisor {child.pid} does not start"
            raise HostUnreachableError(host=self._host, reason=reason) from error

    def _put_program(self) -> Path:
        digest = hashlib.sha256(self._program).hexdigest()[:16]
        path = self._state_dir / f"supervisor-{digest}.pyz"
        if not path.exists():
            _write(path, self._program)
        return path


def _write(path: Path, content: bytes) -> None:
    """Put a file that only its owner may read in place, whole or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    part.rename(path)


def _processes(directory: Path) -> Iterator[int]:
    """Yield the ids of the supervisors, of whatever version, that were started on the directory."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            arguments = _arguments(int(entry.name))
            if arguments[-1:] == [os.fsencode(directory)] and b"/supervisor-" in arguments[-2]:
                yield int(entry.name)


def _arguments(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    except OSError:
        return []


def _signal(pid: int, number: signal.Signals, *, wait_s: float) -> bool:
    """Send a signal; return whether the process got it, or with `wait_s`, whether it ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return bool(wait_s)
    try:
        # A handle cannot come to mean another process, as a number can.
        signal.pidfd_send_signal(handle, number)
        return not wait_s or bool(select.select([handle], [], [], wait_s)[0])
    except ProcessLookupError:
        return bool(wait_s)
    finally:
        os.close(handle)
