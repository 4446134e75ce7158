"""A host that is in memory: the verified fake of a transport, for tests of what is above.

It evaluates the values of commands, as dash and coreutils would run what is rendered of them; the
contract of transports holds for it. What it cannot evaluate is refused, "not in memory: …", never
guessed: then the test wants a real host.

What differs from one, beside that:

- Pipes run one command after the other, so what prints without end has to be bounded.
- A command in the background is run at once and to its end, with an empty input.
- Everybody may read and write everything, as root may. There are no links.
- Shells alone have a number to send signals to (`$$`); the copy that a pipe, a substitution or
  brackets run in goes on when its shell is ended, and is waited for. Nothing else is a process.
- An input that keeps a program waiting is waited for, also beyond the time limit.
"""

import threading
from collections.abc import Iterable, Mapping

from chalicelib.errors import ConnectionLostError, HostUnreachableError
from chalicelib.transport.invocation import pieces
from chalicelib.transport.memory_files import Fed, Files, Sink
from chalicelib.transport.memory_processes import Processes
from chalicelib.transport.memory_programs import PROGRAMS
from chalicelib.transport.memory_shell import evaluate
from chalicelib.transport.memory_state import Process, Program, Shell, System
from chalicelib.transport.run import Driver, Run
from chalicelib.transport.tree import MARK

__all__ = ["MemoryTransport", "Process", "Program"]

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}


class MemoryTransport(Driver):
    r"""A host in memory, with its own files and programs.

    >>> from chalicelib.shell import println, q, script
    >>> host = MemoryTransport(programs={"uname": lambda process: process.write("Plan 9\n") or 0})
    >>> host.run(script("uname", println("here"))).lines
    ['Plan 9', 'here']
    >>> host.put(b"content", "file")
    >>> host.files.content("/root/file")
    b'content'

    Attributes:
        files: what is on it.
        calls: the commands that it took, in their order, secrets as stars.
        unreachable: while this is true, it takes no command.
    """

    def __init__(
        self,
        *,
        programs: Mapping[str, Program] | None = None,
        environment: Mapping[str, str] | None = None,
        facts: Iterable[str] = (),
        host: str = "memory",
        user: str = "root",
        users: Iterable[str] = (),
    ) -> None:
        """Make the host.

        Args:
            programs: by name, or by path, on top of the built-in ones (`memory_programs`).
            environment: all that commands see. Default: `PATH`, `HOME` and `LANG=C.UTF-8`.
            facts: what is known of its system, for script functions.
            host: what results and errors call it.
            user: who runs the commands, and owns what they make.
            users: who else there is, beside root and nobody.
        """
        self.host = host
        self.facts = frozenset(facts)
        self.files = Files(owner=user)
        self.calls: list[str] = []
        self.unreachable = False
        self._user = user
        self._users = frozenset({"root", "nobody", user, *users})
        self._programs = {**PROGRAMS, **(programs or {})}
        self._environment = dict(_ENVIRONMENT if environment is None else environment)
        self._processes = Processes()
        self._losses = 0
        self._lock = threading.Lock()

    def lose_next(self) -> None:
        """Lose the connection to one more call, after it has run. Calls add up."""
        with self._lock:
            self._losses += 1

    def perform(self, run: Run) -> int:
        """Evaluate the command.

        Raises:
            HostUnreachableError: the host is unreachable, as was asked for.
            ConnectionLostError: the connection was lost after the command, as was asked for.
            ShellError: the command needs a real host.
        """
        if self.unreachable:
            raise HostUnreachableError(host=self.host, reason="made unreachable")
        self.calls.append(run.call.shown)
        lost = self._loses()
        with self._processes.running() as pid:
            status = self._shell(run, pid).run_to_end(run.call.command)
        if lost:
            raise ConnectionLostError(host=self.host, reason="made to be lost", may_have_run=True)
        return status

    def _loses(self) -> bool:
        with self._lock:
            lost = self._losses > 0
            self._losses -= lost
            return lost

    def _shell(self, run: Run, pid: int) -> Shell:
        variables = {**self._environment, MARK: run.token}
        return Shell(
            system=System(
                files=self.files,
                programs=self._programs,
                user=self._user,
                users=self._users,
                processes=self._processes,
                run=run,
                evaluate=evaluate,
            ),
            pid=pid,
            descriptors={
                0: Fed(pieces(run.call.stdin)),
                1: Sink(lambda data: run.feed("stdout", data)),
                2: Sink(lambda data: run.feed("stderr", data)),
            },
            variables={**variables, "PWD": "/root"},
            exported=set(variables),
            folder="/root",
        )
