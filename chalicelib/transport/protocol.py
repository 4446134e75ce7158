"""What every transport does: run one command on one host, and what follows from that.

A driver has one method, `execute`; running, streaming and copying files are written once, over it. A
wrapper is a transport around a transport that changes the call on its way down. Nothing here
touches the outside world.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import IO, Literal, TypeAlias, TypedDict, Unpack

from chalicelib.shell import Dialect, Item, Node, explain, q
from chalicelib.transport.files import put_script, size_of
from chalicelib.transport.result import Result
from chalicelib.transport.streams import Stream

__all__ = ["Call", "Chunk", "Input", "OnOutput", "RunOptions", "StreamName", "Transport"]

StreamName = Literal["stdout", "stderr"]
Input: TypeAlias = bytes | IO[bytes] | Iterable[bytes] | None
"""Bytes; an open file; pieces as they come; or nothing, which is an empty input."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of output as it came, cut anywhere."""

    stream: StreamName
    data: bytes


OnOutput: TypeAlias = Callable[[Chunk], object]


class RunOptions(TypedDict, total=False):
    """How a command is run.

    Attributes:
        stdin: what it reads. Default: nothing.
        timeout_s: after this many seconds it is ended, and all that it started: SIGTERM, two seconds
            later SIGKILL. Default: no limit.
        on_output: gets each chunk as it comes. The result then holds the last 64 KiB only of each
            stream. What it raises ends the command and is raised by `run`.
        check: False returns a result of any exit status. Default: True.
        cancel: set it from elsewhere to end the command as a time-out does.
        dialect: the shell it needs. Default: any POSIX sh.
    """

    stdin: Input
    timeout_s: float | None
    on_output: OnOutput | None
    check: bool
    cancel: threading.Event | None
    dialect: Dialect


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One command on its way to a host; wrappers make changed copies.

    Attributes:
        command: what the driver runs.
        shown: the caller's command for people, secrets as stars; wrappers leave it.
        shown_of: the command that `shown` is the text of.
        reach: what wrappers put around a command so that it acts as this one, innermost first;
            the command that ends this one goes the same way.

    The other fields are those of `RunOptions`.
    """

    command: Node
    shown: str
    shown_of: Node
    stdin: Input = None
    timeout_s: float | None = None
    on_output: OnOutput | None = None
    check: bool = True
    cancel: threading.Event | None = None
    dialect: Dialect = Dialect.POSIX
    reach: tuple[Callable[[Node], Node], ...] = field(default=(), repr=False)

    def reached(self, command: Node) -> Node:
        """Return `command` as it has to run to see what this call started."""
        for around in self.reach:
            command = around(command)
        return command


class Transport(ABC):
    """Runs commands on one host. Safe to use from several threads.

    Attributes:
        host: the host's name, in results and errors.
        facts: what is known of its system (`"debian"`), for script functions.
    """

    host: str
    facts: frozenset[str]

    @abstractmethod
    def execute(self, call: Call) -> Result:
        """Run the call to its end. What `run` says holds; callers use `run`."""

    def run(self, command: Item, **options: Unpack[RunOptions]) -> Result:
        """Return what the command did, once it has ended; its background children may go on.

        A program without shell in it is started as it is. Whatever else goes to the host's `/bin/sh`,
        or `bash` for that dialect. A command that holds a `Secret`, or is long, goes in by its
        standard input, ahead of `stdin`, so that no process list shows it.

        Args:
            command: a command, a constant template, or a list of them to run in turn.
            options: see `RunOptions`.

        Raises:
            CommandFailedError: the exit status is not 0, and `check`.
            CommandTimeoutError: it took longer than `timeout_s`, and was ended.
            CommandCancelledError: `cancel` was set, and it was ended.
            ConnectionLostError: the host went away; says whether the command may have run.
            HostUnreachableError: the host did not take the command; it did not run.
            AuthenticationError: the host does not accept us.
            HostKeyError: the host is not the one that was expected.
            ShellError: the command cannot be rendered for the host.
        """
        node = command if isinstance(command, Node) else q(command)
        return self.execute(self._call(node, options))

    def _call(self, node: Node, options: RunOptions) -> Call:
        dialect = options.get("dialect", Dialect.POSIX)
        shown = explain(node, dialect=dialect, facts=self.facts)
        return Call(command=node, shown=shown, shown_of=node, **options)

    def stream(self, command: Item, **options: Unpack[RunOptions]) -> Stream:
        """Return the running command, whose output is read as it comes.

        >>> from chalicelib.transport import LocalTransport
        >>> with LocalTransport().stream("seq 3") as running:
        ...     print([line for _, line in running.lines()], running.result().exit_status)
        ['1', '2', '3'] 0

        Args:
            command: as `run`.
            options: see `RunOptions`; not `on_output` and `cancel`, whose place the stream takes.
        """

        def run(on_output: OnOutput, cancel: threading.Event) -> Result:
            wanted: RunOptions = {**options, "on_output": on_output, "cancel": cancel}
            return self.run(command, **wanted)

        return Stream(run)

    def put(
        self,
        content: bytes | IO[bytes],
        path: str,
        *,
        mode: int = 0o644,
        owner: str | None = None,
        timeout_s: float | None = None,
    ) -> None:
        """Make the content the file at `path`: whole, or not at all. Safe to repeat.

        A file that is there is replaced, a symbolic link too. The folder must be there.

        Args:
            content: bytes, or a file that can tell its size.
            path: where; relative to the directory that commands start in.
            mode: permission bits.
            owner: `user` or `user:group`. Default: who runs the commands.
            timeout_s: as `run`.

        Raises:
            CommandFailedError: the host could not write it; what was begun is removed.
            ShellError: the file cannot tell its size.
        """
        writing = put_script(path, size=size_of(content), mode=mode, owner=owner)
        self.run(writing, stdin=content, timeout_s=timeout_s)

    def get(self, path: str, *, timeout_s: float | None = None) -> bytes:
        """Return the content of the file at `path`.

        Raises:
            CommandFailedError: there is none, or it cannot be read; its `stderr` says why.
        """
        return self.run(q("cat -- {path}", path=path), timeout_s=timeout_s).stdout

    def close(self) -> None:
        """Let go of connections. Safe to repeat; the next run connects again."""
        return
