"""Runs commands on this machine, as this user."""

import os
import pwd
import select
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO

from chalicelib.errors import HostUnreachableError
from chalicelib.shell import render
from chalicelib.transport.protocol import StreamName
from chalicelib.transport.run import Driver, Feeder, Run
from chalicelib.transport.tree import MARK, end_tree

__all__ = ["LocalTransport"]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_READ_BYTES = 256 * 1024
_SIGNALLED = 128
_END_S = 30


class LocalTransport(Driver):
    """This machine, without a connection.

    Commands get the environment that is given here and nothing of this process's own, which may hold
    credentials.
    """

    def __init__(
        self,
        *,
        environment: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        facts: Iterable[str] = (),
        host: str = "localhost",
    ) -> None:
        """Remember how commands are to run.

        Args:
            environment: all that commands see. Default: `PATH`, `HOME` and `LANG=C.UTF-8`.
            cwd: the directory they start in. Default: this process's.
            facts: what is known of this system, for script functions.
            host: what results and errors call this machine.
        """
        self.host = host
        self.facts = frozenset(facts)
        self._cwd = cwd
        self._environment = dict(environment) if environment is not None else _environment()

    def perform(self, run: Run) -> int:
        """Start it in a session of its own, and pass on what it prints until it has ended."""
        process = self._started(run)
        try:
            status = _pumped(process, run)
        except BaseException:
            self._end(process, run)
            raise
        finally:
            # The feeder closes the input: closed here, its number could be another run's pipe by
            # the time that the feeder writes to it.
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        return status if status >= 0 else _SIGNALLED - status

    def _started(self, run: Run) -> "subprocess.Popen[bytes]":
        try:
            return self._spawned(run.invocation.arguments, run)
        except OSError as error:
            if self._cwd is not None and not Path(self._cwd).is_dir():
                raise self._refused(f"cannot enter {self._cwd}") from error
        try:
            # A shell says what is wrong with the program, and ends with the status for it.
            return self._spawned(("/bin/sh", "-c", render(run.call.command)), run)
        except OSError as error:
            raise self._refused(str(error)) from error

    def _spawned(self, arguments: tuple[str, ...], run: Run) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 - running commands is what this is for
            arguments,
            stdin=subprocess.DEVNULL if run.invocation.stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**self._environment, MARK: run.token},
            cwd=self._cwd,
            start_new_session=True,
        )

    def _refused(self, reason: str) -> HostUnreachableError:
        return HostUnreachableError(host=self.host, reason=f"cannot start a command: {reason}")

    def _end(self, process: "subprocess.Popen[bytes]", run: Run) -> None:
        script = render(run.call.reached(end_tree(run.token)))
        quiet = subprocess.DEVNULL
        subprocess.run(  # noqa: S603 - our own script
            ["/bin/sh", "-c", script],
            stdin=quiet,
            stdout=quiet,
            stderr=quiet,
            env=self._environment,
            timeout=_END_S,
            check=False,
        )
        if process.poll() is None:
            process.kill()
        process.wait()


def _pumped(process: "subprocess.Popen[bytes]", run: Run) -> int:
    """Return the exit status, having passed on all that was printed before the end.

    The end of the process is watched for beside its pipes: a background child may hold these open.
    """
    feeder = _feeder(process, run)
    streams = _streams(process)
    ended = os.pidfd_open(process.pid)
    poll = select.poll()
    for fd in (*streams, ended):
        poll.register(fd, select.POLLIN)
    try:
        over = False
        while True:
            ready = {fd for fd, _ in poll.poll(0 if over else _milliseconds(run.pause_s()))}
            printed = ready - {ended}
            for fd in printed:
                _read(fd, streams, poll, run)
            if over and not printed:
                return process.wait()
            over = over or ended in ready
            if feeder is not None and feeder.error is not None:
                raise feeder.error
            if not over and run.over():
                raise run.ended_early()
    finally:
        os.close(ended)


def _feeder(process: "subprocess.Popen[bytes]", run: Run) -> Feeder | None:
    pipe = process.stdin
    if pipe is None:
        return None
    return Feeder(run.invocation.stdin, write=_whole_writer(pipe), close=pipe.close)


def _whole_writer(pipe: IO[bytes]) -> Callable[[bytes], None]:
    def write(piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            rest = rest[pipe.write(rest) :]

    return write


def _streams(process: "subprocess.Popen[bytes]") -> dict[int, StreamName]:
    streams: dict[int, StreamName] = {}
    if process.stdout is not None:
        streams[process.stdout.fileno()] = "stdout"
    if process.stderr is not None:
        streams[process.stderr.fileno()] = "stderr"
    return streams


def _read(fd: int, streams: dict[int, StreamName], poll: select.poll, run: Run) -> None:
    data = os.read(fd, _READ_BYTES)
    if data:
        run.feed(streams[fd], data)
    else:
        poll.unregister(fd)


def _milliseconds(seconds: float | None) -> int | None:
    # Rounded up: a poll of 0 ms right before the deadline would spin.
    return None if seconds is None else int(seconds * 1000) + 1


def _environment() -> dict[str, str]:
    home = pwd.getpwuid(os.getuid()).pw_dir
    return {"PATH": _PATH, "HOME": home, "LANG": "C.UTF-8"}
