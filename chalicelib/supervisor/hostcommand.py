"""A command on the host, with its output passed on and its time bounded. Argument lists only."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

from chalicelib.supervisor.faults import InfrastructureError

__all__ = ["run_on_host"]

_TURN_MS = 100
_READ_BYTES = 64 * 1024


def run_on_host(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    sink: Callable[[bytes], None],
    limit_s: float,
    halted: Callable[[], bool],
) -> int:
    """Return the exit status; stdout and stderr go to `sink` as they come, stdin is empty.

    Raises:
        InfrastructureError: the program is missing, `limit_s` seconds went by, or `halted`.
            The whole process group has been killed then.
    """
    try:
        process = subprocess.Popen(
            list(arguments),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        msg = f"{arguments[0]} cannot be started on the host: {error}"
        raise InfrastructureError(msg) from error
    try:
        _pump(process, sink, deadline=time.monotonic() + limit_s, halted=halted)
        return process.wait()
    except TimeoutError as error:
        msg = f"{arguments[0]} took longer than {limit_s:g} s"
        raise InfrastructureError(msg) from error
    finally:
        _reap(process)


def _pump(
    process: subprocess.Popen[bytes],
    sink: Callable[[bytes], None],
    *,
    deadline: float,
    halted: Callable[[], bool],
) -> None:
    if process.stdout is None:
        return
    descriptor = process.stdout.fileno()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP)
    while True:
        if poll.poll(_TURN_MS):
            data = os.read(descriptor, _READ_BYTES)
            if not data:
                return
            sink(data)
        if halted():
            msg = "stopped"
            raise InfrastructureError(msg)
        if time.monotonic() > deadline:
            raise TimeoutError


def _reap(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
