"""Programs of this machine that stay this process's own children, which no transport's do.

What a transport starts has a session, pipes and an environment of its own, and is ended with all it
started. Two kinds of programs need something else: those that belong to the caller's terminal, and
daemons, of which only a parent can tell that one has ended before its number is another's.

Standard library only: this runs before any requirement is installed.
"""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TypeAlias

from chalicelib.errors import ShellError
from chalicelib.shell import Item, Node, explain, q
from chalicelib.transport.invocation import invocation
from chalicelib.transport.protocol import Call

__all__ = ["Child", "run_attached", "start_child"]

_SIGNALLED = 128
_OnLine: TypeAlias = Callable[[str], object]


class Child:
    """A daemon that this process started. It outlives this process.

    Attributes:
        pid: its number, which is no other's until `ended` has said so.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        """Remember it; `start_child` makes them."""
        self.pid = process.pid
        self._process = process

    def ended(self) -> bool:
        """Return whether it has ended; no zombie is left of it then. Safe to repeat."""
        return self._process.poll() is not None


def start_child(
    program: Item, *, output: Path, environment: Mapping[str, str], folder: Path | None = None
) -> Child:
    """Start a program in a session of its own and return at once. Not safe to repeat.

    Its input is empty. `start` does the same on any host, and knows less of what becomes of it.

    Args:
        program: as `Transport.run` takes it; no secrets.
        output: the file to whose end it prints.
        environment: all that it sees.
        folder: where it starts. Default: where this process is.

    Raises:
        OSError: the program or the file cannot be opened.
        ShellError: the command holds a secret, or is long.
    """
    with output.open("ab") as end:
        process = subprocess.Popen(  # noqa: S603 - an argument list
            _arguments(program),
            stdin=subprocess.DEVNULL,
            stdout=end,
            stderr=end,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
    return Child(process)


def run_attached(
    program: Item,
    *,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    on_line: _OnLine | None = None,
    kept: Sequence[int] = (),
) -> int:
    """Return the exit status of a program that has this process's terminal; 128 + n for a signal n.

    Ctrl-C and a hang-up reach the program itself. It is never killed: the interrupt, or whatever
    else goes wrong here, is raised once it has ended in its own order, which a second interrupt does
    not wait for.

    Args:
        program: as `Transport.run` takes it; no secrets.
        folder: where it starts. Default: where this process is.
        environment: all that it sees. Default: what this process sees.
        on_line: gets each line of both its streams, with its newline; its input is empty then.
            Default: it has this process's own streams.
        kept: descriptors that it holds open as well, a lock's for instance.

    Raises:
        OSError: the program cannot be started.
        ShellError: the command holds a secret, or is long.
    """
    process = subprocess.Popen(  # noqa: S603 - an argument list
        _arguments(program),
        stdin=None if on_line is None else subprocess.DEVNULL,
        stdout=None if on_line is None else subprocess.PIPE,
        stderr=None if on_line is None else subprocess.STDOUT,
        text=True,
        errors="replace",
        env=None if environment is None else dict(environment),
        cwd=folder,
        pass_fds=kept,
    )
    with process.stdout or nullcontext() as lines:
        try:
            for line in lines or ():
                if on_line is not None:
                    on_line(line)
            status = process.wait()
        except BaseException:
            for _ in lines or ():  # it must not stand still before a full pipe
                pass
            process.wait()
            raise
    return status if status >= 0 else _SIGNALLED - status


def _arguments(program: Item) -> tuple[str, ...]:
    node = program if isinstance(program, Node) else q(program)
    shown = explain(node)
    made = invocation(Call(command=node, shown=shown, shown_of=node), frozenset())
    if made.fed:
        raise ShellError(reason=f"too long for arguments, or with a secret in it: {shown[:80]}")
    return made.arguments
