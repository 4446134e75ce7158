"""A program of this machine, started with pipes to it, and the end of it.

`subprocess.Popen` does this for any system and any wish. The little that commands need of it costs
45 us less by `os.posix_spawn`, of 615 (Python 3.11, glibc 2.36, 2026-11-26; `./berth bench shell`).
What a command prints, and how long it may take, is no matter of this module.
"""

import errno
import os
import shutil
import signal
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from itertools import chain
from pathlib import Path
from typing import IO, TypeAlias

__all__ = ["Process"]

_Pipe: TypeAlias = tuple[int, int]
"""The end to read from, and the one to write to."""

_STDIN, _STDOUT, _STDERR = range(3)
_SIGNALLED = 128
# This process ignores them, as every Python does, and a new program would go on to: `yes | head`
# would complain.
_NOT_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)


class Process:
    """A program in a session of its own. Whoever makes one waits for it or kills it, and closes it.

    Attributes:
        pid: its number, which is no other's until `wait` or `kill` has returned.
        stdin: a pipe to it, for the one who writes to close; None for an empty input.
        stdout: the descriptor of a pipe from it.
        stderr: another.
    """

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], *, fed: bool
    ) -> None:
        """Start it.

        Args:
            arguments: a program, by its path or its name on the `PATH` of `environment`, and what it
                is given.
            environment: all that it sees. It gets no descriptor of this process's either.
            fed: whether it has an input.

        Raises:
            OSError: it cannot be started, and nothing is left of the attempt.
        """
        pipes: list[_Pipe] = []
        try:
            for _ in range(3 if fed else 2):
                pipes.append(_pipe())  # noqa: PERF401 - the first is to be closed if the next fails
            self.pid = _spawned(arguments, environment, pipes)
        except BaseException:
            _close(chain.from_iterable(pipes))
            raise
        (self.stdout, out), (self.stderr, err), *to = pipes
        _close((out, err))
        self.stdin: IO[bytes] | None = None
        for theirs, ours in to:
            os.close(theirs)
            self.stdin = os.fdopen(ours, "wb", buffering=0)
        self._status: int | None = None

    def wait(self) -> int:
        """Return its exit status, 128 + n for a signal n, once it has ended. Safe to repeat."""
        if self._status is None:
            status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            self._status = status if status >= 0 else _SIGNALLED - status
        return self._status

    def kill(self) -> None:
        """End it, if it has not ended, so that not even a zombie is left. Safe to repeat."""
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)  # no matter to a zombie
            self.wait()

    def close(self) -> None:
        """Stop listening to it; once only."""
        _close((self.stdout, self.stderr))


def _spawned(
    arguments: Sequence[str], environment: Mapping[str, str], pipes: Sequence[_Pipe]
) -> int:
    actions = [
        (os.POSIX_SPAWN_DUP2, pipes[0][1], _STDOUT),
        (os.POSIX_SPAWN_DUP2, pipes[1][1], _STDERR),
        (os.POSIX_SPAWN_DUP2, pipes[2][0], _STDIN)
        if len(pipes) > _STDERR
        else (os.POSIX_SPAWN_OPEN, _STDIN, os.devnull, os.O_RDONLY, 0),
    ]
    return os.posix_spawn(
        _found(arguments[0], environment),
        tuple(arguments),
        environment,
        file_actions=[*actions, *_withheld()],
        setsid=True,
        setsigdef=_NOT_IGNORED,
    )


@cache
def _withheld() -> tuple[tuple[int, int], ...]:
    """The closing, in a new program, of the descriptors that this process was started with.

    A shell, a `make` or a service manager may have left it some. Python's own are closed by any
    exec (https://peps.python.org/pep-0446/), so they are looked up once: 30 us for each program, as
    `Popen` spends, would be for those alone that a library in C opens later, carelessly. A number
    that another descriptor has by then is closed as well; one of none is no error.
    """
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        fd = int(entry.name)
        with suppress(OSError):  # the listing's own is closed by now
            if fd > _STDERR and os.get_inheritable(fd):
                found.append((os.POSIX_SPAWN_CLOSE, fd))
    return tuple(found)


def _found(program: str, environment: Mapping[str, str]) -> str:
    """The path of a program. `posix_spawnp` would go by the `PATH` of this process."""
    if "/" in program:
        return program
    path = shutil.which(program, path=environment.get("PATH", os.defpath))
    if path is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)
    return path


def _pipe() -> _Pipe:
    """A pipe whose ends are none of 0 to 2, which are free if this process was started without.

    In the program, a `dup2` onto one end would close the other, or leave it to be closed by exec.
    """
    pipe = os.pipe()
    if min(pipe) > _STDERR:
        return pipe
    try:
        return _pipe()
    finally:
        _close(pipe)


def _close(descriptors: Iterable[int]) -> None:
    for fd in descriptors:
        os.close(fd)
