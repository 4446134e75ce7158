"""The state of a shell and of a program on a host that is in memory, and what each may ask of it."""

import errno
import posixpath
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NoReturn, TypeAlias

from chalicelib.shell.commands import Node
from chalicelib.transport.memory_files import Buffer, Descriptor, Files, failure
from chalicelib.transport.memory_processes import Processes
from chalicelib.transport.memory_words import Expander, absent, as_bytes
from chalicelib.transport.run import Run
from chalicelib.transport.scripts import ScriptText

__all__ = ["ExitError", "LoopError", "Process", "Program", "Shell", "System"]

_READ_BYTES = 64 * 1024
_BAD_USE, _NOT_FOUND, _SIGNALLED = 2, 127, 128
_LISTEN_S = 0.05
"""How soon a signal is heard, or a cancellation."""
_PROGRAM_FOLDERS = frozenset(
    f"{root}{kind}" for root in ("/", "/usr/", "/usr/local/") for kind in ("bin", "sbin")
)


class ExitError(Exception):
    """The shell ends, with the status it has. No caller sees it."""


class LoopError(Exception):
    """The round of a loop ends, and the loop unless it goes on. No caller sees it."""

    def __init__(self, *, goes_on: bool) -> None:
        super().__init__()
        self.goes_on = goes_on


class Process:
    """A program while it runs: what it was given, and what it may do.

    Attributes:
        name: what it was called by.
        arguments: the words after its name.
        environment: its variables.
        folder: where it was started.
        user: who runs it.
        users: who there is.
        files: those of the host, by absolute path; `path` makes one.
    """

    def __init__(
        self, shell: "Shell", name: str, arguments: Iterable[str], environment: Mapping[str, str]
    ) -> None:
        """Take over the shell's open files."""
        self._shell = shell
        self.name = name
        self.arguments = tuple(arguments)
        self.environment = dict(environment)
        self.folder = shell.folder
        self.user = shell.system.user
        self.users = shell.system.users
        self.files = shell.system.files

    def read(self, size: int = _READ_BYTES) -> bytes:
        """Return bytes of the standard input, so many at most; none at its end."""
        return self._shell.descriptor(0).read(size)

    def write(self, printed: bytes | str) -> None:
        """Print on the standard output."""
        data = as_bytes(printed) if isinstance(printed, str) else printed
        self._shell.descriptor(1).write(data)

    def complain(self, message: str) -> None:
        """Print a line on the standard error, after the program's name."""
        self._shell.complain(f"{self.name}: {message}")

    def locked(self, number: int) -> bool:
        """Lock an open file, unless another did, and return whether the lock is this one's.

        Raises:
            OSError: there is no open file of that number, or what it is has no lock.
        """
        return self._shell.descriptor(number).locked()

    def path(self, name: str) -> str:
        """Return the absolute path of a name as the program may use it.

        Raises:
            OSError: the name is empty.
        """
        return self._shell.path(name)

    def over(self) -> bool:
        """Return whether the program has to end: with the run, or with its shell by a signal."""
        return self._shell.over()

    def check(self) -> None:
        """Go on, unless the program has to end.

        Raises:
            CommandError: it has to, with the run.
            ExitError: it has to, with its shell.
        """
        self._shell.check()

    def pause_s(self, longest_s: float) -> float:
        """Return how long the program may wait before it asks again whether it has to end."""
        longest_s = min(longest_s, _LISTEN_S)
        pause = self._shell.system.run.pause_s(longest_s)
        return longest_s if pause is None else pause

    def send_signal(self, pid: int, number: int) -> bool:
        """Send a signal to a shell of the host, also another run's; return whether it is there."""
        return self._shell.system.processes.send(pid, number)

    def start(
        self,
        arguments: Iterable[str],
        environment: Mapping[str, str],
        *,
        user: str | None = None,
    ) -> int:
        """Run another program in this one's place, as another user too; return its exit status."""
        shell = self._shell if user is None else self._shell.run_by(user)
        return shell.started(tuple(arguments), environment)

    def run_script(self, text: str) -> int:
        """Run a script that a wrapper of transports made, in a shell of its own; return its status.

        Raises:
            ShellError: it is another's: no text of a shell is read here.
        """
        script = self._shell.system.scripts.get(text)
        if script is None:
            raise absent("a script that is given as a text")
        left = script.fed
        while left and (piece := self.read(left)):
            left -= len(piece)
        with self._shell.system.processes.running() as pid:
            return self._shell.begun_anew(self.environment, pid).run_to_end(script.command)


Program: TypeAlias = Callable[[Process], int]
"""Does what a program does, and returns its exit status; 128 + n says that signal n ended it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What all shells of one run share; `evaluate` runs one command in a shell."""

    files: Files
    programs: Mapping[str, Program]
    user: str
    users: frozenset[str]
    processes: Processes
    run: Run
    evaluate: "Callable[[Shell, Node], None]"
    scripts: dict[str, ScriptText] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Shell(Expander):
    """The state of a shell.

    Attributes:
        pid: what `$$` is; also in a copy.
        copied: whether this is a copy: signals to the number end the original. The copy is then
            like a real one's that lost its parent, and goes on.
    """

    system: System
    pid: int
    descriptors: dict[int, Descriptor]
    variables: dict[str, str]
    exported: set[str]
    folder: str
    copied: bool = False
    status: int = 0
    background: str = ""
    substituted: int | None = field(default=None, repr=False)

    def run_to_end(self, node: Node) -> int:
        """Run a command as a shell's only one, and return the exit status of the shell."""
        try:
            self.run(node)
        except LoopError:
            self.status = 0
        except ExitError:
            pass
        return self.status

    def run(self, node: Node) -> None:
        """Run a command; its status is the shell's afterwards.

        Raises:
            CommandError: the run is over.
            ShellError: the command needs a real host.
        """
        self.check()
        self.system.evaluate(self, node)
        self._heed_signal()

    def over(self) -> bool:
        """Return whether the run is over, or a signal has ended this shell."""
        return self.system.run.over() or self._signal() > 0

    def check(self) -> None:
        """Go on, unless it is over."""
        if self.system.run.over():
            raise self.system.run.ended_early()
        self._heed_signal()

    def _heed_signal(self) -> None:
        if signal := self._signal():
            self.status = _SIGNALLED + signal
            raise ExitError

    def _signal(self) -> int:
        return 0 if self.copied else self.system.processes.ended_by(self.pid)

    def descriptor(self, number: int) -> Descriptor:
        """Return an open file by its number."""
        if number not in self.descriptors:
            raise failure(errno.EBADF)
        return self.descriptors[number]

    def complain(self, message: str) -> None:
        """Print a line on the standard error, if it is open."""
        if 2 in self.descriptors:  # noqa: PLR2004 - it has this number
            self.descriptors[2].write(as_bytes(f"{message}\n"))

    def path(self, name: str) -> str:
        """Return the absolute path of a name."""
        if not name:
            raise failure(errno.ENOENT, name)
        return "/" + posixpath.normpath(posixpath.join(self.folder, name)).lstrip("/")

    # What words ask for.

    def lookup(self, name: str) -> str | None:
        """Return the value of a variable or special parameter."""
        special = {
            "?": str(self.status),
            "#": "0",
            "0": "/bin/sh",
            "!": self.background,
            "$": str(self.pid),
        }
        return special[name] if name in special else self.variables.get(name)

    def set_variable(self, name: str, value: str) -> None:
        """Set a variable."""
        self.variables[name] = value

    def note(self, script: ScriptText) -> None:
        """Remember a script."""
        self.system.scripts[script.text] = script

    def substitution_status(self) -> int:
        """Return the status of the last substitution since this was asked; 0 without any."""
        status, self.substituted = self.substituted, None
        return status or 0

    def captured(self, node: Node) -> bytes:
        """Return what a command prints, and remember its status."""
        printed = Buffer()
        self.substituted = self.fork({1: printed}).run_to_end(node)
        self._heed_signal()
        return bytes(printed.data)

    def give_up(self, message: str) -> NoReturn:
        """End the shell with a message."""
        self.complain(f"sh: {message}")
        self.status = _BAD_USE
        raise ExitError

    def fork(self, descriptors: dict[int, Descriptor] | None = None) -> "Shell":
        """Return a copy, with other open files: what it does to itself stays there."""
        return replace(
            self,
            copied=True,
            descriptors={**self.descriptors, **(descriptors or {})},
            variables=dict(self.variables),
            exported=set(self.exported),
            substituted=None,
        )

    def run_by(self, user: str) -> "Shell":
        """Return a copy that another user runs."""
        files = self.system.files.made_by(user)
        return replace(self.fork(), system=replace(self.system, user=user, files=files))

    def begun_anew(self, environment: Mapping[str, str], pid: int) -> "Shell":
        """Return a new shell with the same open files, in the same folder."""
        return replace(
            self.fork(),
            pid=pid,
            copied=False,
            variables={**environment, "PWD": self.folder},
            exported=set(environment),
            status=0,
            background="",
        )

    def succeeds(self, node: Node) -> bool:
        """Run a command and return whether it succeeded."""
        self.run(node)
        return self.status == 0

    def started(self, words: Iterable[str], environment: Mapping[str, str]) -> int:
        """Run a program and return its status; 127 if there is none of that name."""
        name, *arguments = words
        programs = self.system.programs
        folder, base = posixpath.split(name)
        found = programs.get(base if folder in _PROGRAM_FOLDERS else name, programs.get(name))
        if found is None:
            self.complain(f"sh: {name}: not found")
            return _NOT_FOUND
        return found(Process(self, name, arguments, environment))
