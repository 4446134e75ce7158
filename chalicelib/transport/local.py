"""Runs commands on this machine, as this user."""

import os
import pwd
import select
import subprocess
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import IO

from chalicelib.errors import HostUnreachableError
from chalicelib.shell import render
from chalicelib.transport.local_process import Process
from chalicelib.transport.protocol import StreamName
from chalicelib.transport.run import Driver, Feeder, Run
from chalicelib.transport.tree import MARK, end_tree

__all__ = ["LocalTransport"]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_READ_BYTES = 256 * 1024
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
        facts: Iterable[str] = (),
        host: str = "localhost",
    ) -> None:
        """Remember how commands are to run. They start in this process's directory; see `InFolder`.

        Args:
            environment: all that commands see. Default: `PATH`, `HOME` and `LANG=C.UTF-8`.
            facts: what is known of this system, for script functions.
            host: what results and errors call this machine.
        """
        self.host = host
        self.facts = frozenset(facts)
        self._environment = dict(environment) if environment is not None else _environment()

    def perform(self, run: Run) -> int:
        """Start it in a session of its own, and pass on what it prints until it has ended."""
        process = self._started(run)
        try:
            return _pumped(process, run)
        except BaseException:
            self._end(process, run)
            raise
        finally:
            process.close()

    def _started(self, run: Run) -> Process:
        environment = {**self._environment, MARK: run.token}
        fed = run.invocation.stdin is not None
        with suppress(OSError):
            return Process(run.invocation.arguments, environment, fed=fed)
        try:
            # A shell says what is wrong with the program, and ends with the status for it.
            shell = ("/bin/sh", "-c", render(run.call.command))
            return Process(shell, environment, fed=fed)
        except OSError as error:
            reason = f"cannot start a command: {error}"
            raise HostUnreachableError(host=self.host, reason=reason) from error

    def _end(self, process: Process, run: Run) -> None:
        script = render(run.call.reached(end_tree(run.token)))
        quiet = subprocess.DEVNULL
        try:
            subprocess.run(  # noqa: S603 - our own script
                ["/bin/sh", "-c", script],
                stdin=quiet,
                stdout=quiet,
                stderr=quiet,
                env=self._environment,
                timeout=_END_S,
                check=False,
            )
        finally:
            process.kill()


def _pumped(process: Process, run: Run) -> int:
    """Return the exit status, having passed on all that was printed before the end.

    The end of the process is watched for beside its pipes: a background child may hold these open.
    """
    feeder = _feeder(process, run)
    streams: dict[int, StreamName] = {process.stdout: "stdout", process.stderr: "stderr"}
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
            # What was printed before the end is in the pipes by then: one look more finds it all.
            drained = not streams or (over and not printed)
            over = over or ended in ready
            if feeder is not None and feeder.error is not None:
                raise feeder.error
            if over and drained:
                return process.wait()
            if not over and run.over():
                raise run.ended_early()
    finally:
        os.close(ended)


def _feeder(process: Process, run: Run) -> Feeder | None:
    pipe = process.stdin
    if pipe is None:
        return None
    # It closes the input: closed elsewhere, its number could be another run's pipe by the time that
    # the feeder writes to it.
    return Feeder(run.invocation.stdin, write=_whole_writer(pipe), close=pipe.close)


def _whole_writer(pipe: IO[bytes]) -> Callable[[bytes], None]:
    def write(piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            rest = rest[pipe.write(rest) :]

    return write


def _read(fd: int, streams: dict[int, StreamName], poll: select.poll, run: Run) -> None:
    data = os.read(fd, _READ_BYTES)
    if data:
        run.feed(streams[fd], data)
    else:
        poll.unregister(fd)
        del streams[fd]


def _milliseconds(seconds: float | None) -> int | None:
    # Rounded up: a poll of 0 ms right before the deadline would spin.
    return None if seconds is None else int(seconds * 1000) + 1


def _environment() -> dict[str, str]:
    home = pwd.getpwuid(os.getuid()).pw_dir
    return {"PATH": _PATH, "HOME": home, "LANG": "C.UTF-8"}
