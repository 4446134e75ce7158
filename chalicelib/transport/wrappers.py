"""Transports around a transport: as another user, in a directory, again, watched, fenced, or not at all.

Each changes the call and hands it down, so they nest in any order that makes sense:
`Sudo(InFolder(host, "/srv"))` enters the directory as the login, then becomes root.
"""

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from chalicelib.clock import Clock
from chalicelib.errors import BerthError, ShellError
from chalicelib.shell import Node, command, env, join, ref, render, within
from chalicelib.shell.words import Word
from chalicelib.transport.invocation import invocation, pieces
from chalicelib.transport.protocol import Call, Transport
from chalicelib.transport.result import Result
from chalicelib.transport.scripts import ScriptText, as_words
from chalicelib.transport.tree import MARK
from chalicelib.wait import Randomness, WaitPolicy

__all__ = [
    "AsUser",
    "DryRun",
    "InFolder",
    "Retrying",
    "Sudo",
    "Trace",
    "Traced",
    "WithEnvironment",
    "Wrapper",
]

_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?")


class Wrapper(Transport):
    """A transport that hands changed calls to another."""

    def __init__(self, inner: Transport) -> None:
        """Take the other's name and facts."""
        self.inner = inner
        self.host = inner.host
        self.facts = inner.facts

    def execute(self, call: Call) -> Result:
        """Run the changed call on the other transport."""
        return self.inner.execute(self.changed(call))

    @abstractmethod
    def changed(self, call: Call) -> Call:
        """Return the call as the other transport is to run it."""

    def close(self) -> None:
        """Close the other transport."""
        self.inner.close()


class InFolder(Wrapper):
    """Commands start in a directory. One that cannot be entered fails them."""

    def __init__(self, inner: Transport, folder: str) -> None:
        """Remember the directory."""
        super().__init__(inner)
        self._folder = folder

    def changed(self, call: Call) -> Call:
        """Return the call, entering the directory first."""
        return replace(call, command=within(self._folder, call.command))


class WithEnvironment(Wrapper):
    """Commands see more variables. Secrets among them are in no process list and no log."""

    def __init__(self, inner: Transport, variables: Mapping[str, object]) -> None:
        """Remember the variables: names to words (see `shell.command`)."""
        super().__init__(inner)
        self._variables = dict(variables)

    def changed(self, call: Call) -> Call:
        """Return the call with the variables in its environment."""
        return replace(call, command=env(call.command, **self._variables))


class _As(Wrapper):
    """Commands run as another user, and are ended as that user."""

    def __init__(self, inner: Transport, user: str) -> None:
        super().__init__(inner)
        if not _USER.fullmatch(user):
            raise ShellError(reason=f"no name of a user: {user!r}")
        self.user = user

    def changed(self, call: Call) -> Call:
        made = invocation(call, self.facts)
        return replace(
            call,
            command=self.around(*as_words(call.command, made)),
            stdin=made.stdin,
            reach=(*call.reach, self._ending),
        )

    @abstractmethod
    def around(self, *arguments: Word | str) -> Node:
        """Return the command that runs a program as the user."""

    def _ending(self, node: Node) -> Node:
        return self.around("/bin/sh", "-c", render(node))


class Sudo(_As):
    """Commands run as another user by sudo, which must not ask for a password."""

    def __init__(self, inner: Transport, user: str = "root") -> None:
        """Remember the user.

        Raises:
            ShellError: that is no name of a user.
        """
        super().__init__(inner, user)

    def around(self, *arguments: Word | str) -> Node:
        """Return the command that runs a program as the user. sudo clears the environment."""
        mark = join(f"{MARK}=", ref(MARK, if_unset=""))
        return command("sudo", "-n", "-H", "-u", self.user, "--", "env", mark, *arguments)


class AsUser(_As):
    """Commands of root run as another user by su, which every Linux has."""

    def around(self, *arguments: Word | str) -> Node:
        """Return the command that runs a program as the user."""
        # In the place of su's shell, which would only wait for it.
        text = render(command("exec", *arguments))
        program = ScriptText(text, command(*arguments))
        return command("su", "-s", "/bin/sh", "-c", program, self.user)


class Retrying(Wrapper):
    """A call that ends in an error which the policy catches is made again.

    Only for commands that may run twice: after a `ConnectionLostError` the first may have run. Their
    output passes once for each try. An input that comes in pieces is read whole first.
    """

    def __init__(
        self,
        inner: Transport,
        policy: WaitPolicy,
        *,
        clock: Clock,
        random: Randomness | None = None,
    ) -> None:
        """Remember the policy; `random` is for one with jitter."""
        super().__init__(inner)
        self._policy = policy
        self._clock = clock
        self._random = random

    def execute(self, call: Call) -> Result:
        """Run the call until it succeeds, or the policy gives up."""
        again = self.changed(call)
        return self._policy.wait(
            lambda: self.inner.execute(again), clock=self._clock, random=self._random
        )

    def changed(self, call: Call) -> Call:
        """Return the call with an input that can be sent again."""
        if call.stdin is None or isinstance(call.stdin, bytes):
            return call
        return replace(call, stdin=b"".join(pieces(call.stdin)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a traced transport tells of one call: once when it begins, once when it has ended.

    Attributes:
        command: secrets as stars.
        host: where it runs.
        exit_status: None as long as there is none.
        elapsed: None at the beginning.
        error: what it was that ended the call otherwise.
    """

    command: str
    host: str
    exit_status: int | None = None
    elapsed: timedelta | None = None
    error: BerthError | None = None


class Traced(Wrapper):
    """Each call is told of, before and after."""

    def __init__(self, inner: Transport, sink: Callable[[Trace], object], *, clock: Clock) -> None:
        """Remember who is told."""
        super().__init__(inner)
        self._sink = sink
        self._clock = clock

    def execute(self, call: Call) -> Result:
        """Run the call, and tell of it."""
        begun = Trace(command=call.shown, host=self.host)
        self._sink(begun)
        started = self._clock.now()
        try:
            result = self.inner.execute(call)
        except BerthError as error:
            status = getattr(error, "exit_status", None)
            taken = self._clock.now() - started
            self._sink(replace(begun, exit_status=status, elapsed=taken, error=error))
            raise
        self._sink(replace(begun, exit_status=result.exit_status, elapsed=result.elapsed))
        return result

    def changed(self, call: Call) -> Call:
        """Return the call as it is."""
        return call


class DryRun(Wrapper):
    """No call is made; each is told of, and succeeds without output."""

    def __init__(self, inner: Transport, sink: Callable[[str], object]) -> None:
        """Remember who is told: `sink` gets each command, secrets as stars."""
        super().__init__(inner)
        self._sink = sink

    def execute(self, call: Call) -> Result:
        """Tell of the call."""
        self._sink(call.shown)
        return Result(
            command=call.shown,
            host=self.host,
            exit_status=0,
            stdout=b"",
            stderr=b"",
            elapsed=timedelta(0),
        )

    def changed(self, call: Call) -> Call:
        """Return the call as it is."""
        return call
