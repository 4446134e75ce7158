"""A command, for what no other kind of resource can say. A guard says whether it has been run."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from chalicelib.errors import ShellError, SpecError
from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Fact, Facts
from chalicelib.hostspec.resource import Fields, Resource, check, named
from chalicelib.hostspec.resources.path_facts import PATHS, check_path
from chalicelib.shell import (
    Item,
    Node,
    Secret,
    all_of,
    any_of,
    assign,
    both_to,
    command,
    document,
    duplicate,
    equal,
    exists,
    exit_,
    explain,
    export,
    is_symlink,
    last_status,
    not_,
    println,
    q_or,
    redirect,
    ref,
    render,
    script,
    subshell,
    unless,
    when,
    within,
)

__all__ = ["Command"]

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+:-]*( [A-Za-z0-9_.@+:-]+)*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BY_TEXT = 'text="$(cat <&8)" && exec 8<&- && eval "$text"'
"""A program that runs the text on descriptor 8, which so is in no process list."""
_TEXT_FD = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Resource):
    """A command of one or several parts, which stops at the first that fails.

    It runs while its guard says so, or as a reaction to a change. The guard is asked again before
    it runs, and after it: a command that leaves its guard as it was has failed, as it would run
    each time. With a guard and `on_change_of`, it runs for either, and once for both.

    Attributes:
        id: names it.
        run: what is run. Without `user` it may hold script functions.
        creates: it has been run if there is something at this path.
        unless: it has been run if this succeeds. Runs whenever a host is looked at, as the user and
            with the environment of `run`: must change nothing, and hold no script functions.
        only_if: with one of the other guards: it is not run where this fails. Alone: it has been
            run if this fails.
        undo: what `absent` runs where it has been run; needs `creates` or `unless`.
        environment: variables of all these commands; a `Secret` is in no process list.
        user: who runs them, without a login, by su(1). Default: who applies.
        cwd: folder in which they run. Default: not said.
    """

    kind: ClassVar[str] = "command"

    id: str
    run: Item = ()
    creates: str = ""
    unless: Item = ()
    only_if: Item = ()
    undo: Item = ()
    environment: Mapping[str, str | Secret] = field(default_factory=dict)
    user: str = ""
    cwd: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check(self, _ID.fullmatch(self.id), f"id: {self.id!r} is no name")
        check(self, self.run or self.absent, "run: there is nothing to run")
        for place, path in (("creates", self.creates), ("cwd", self.cwd)):
            if path:
                check_path(self, path, place)
        if self.user:
            named(self, self.user, "user")
        for name in self.environment:
            check(self, _VARIABLE.fullmatch(name), f"environment: {name!r} is no variable")
        done = bool(self.creates) + bool(self.unless)
        check(self, done <= 1, "creates and unless are two guards: one says whether it has run")
        guarded = done or self.only_if or self.on_change_of
        check(
            self, guarded or self.absent, "needs a guard, or on_change_of: else it runs each time"
        )
        check(self, not self.absent or (self.undo and done), "absent needs undo, creates or unless")
        try:
            self.asks()
            self.actions()
            render(script(*self._guards))
        except ShellError as error:
            raise SpecError(reason=f"{self.name}: {error}") from error

    @property
    def subject(self) -> str:
        """Its id."""
        return self.id

    @property
    def wants(self) -> tuple[str, ...]:
        """Who runs it, and where."""
        folder = (names.path(self.cwd), *names.under(self.cwd)) if self.cwd else ()
        made = names.under(self.creates) if self.creates else ()
        return (*folder, *made, *([names.user(self.user)] if self.user else []))

    def asks(self) -> tuple[Ask[object], ...]:
        """What is at `creates`, and what the other guards say."""
        paths = (PATHS(self.creates),) if self.creates else ()
        return (*paths, *([self._asked()] if self._guards else []))

    def wanted(self) -> Fields:
        """That it has been run."""
        return {"run": self._shown}

    def found(self, facts: Facts) -> Fields | None:
        """The same, or None where it has yet to be run."""
        said = list(facts[self._asked()]) if self._guards else []
        held = said.pop(0) if self.only_if else None
        ran = facts[PATHS(self.creates)] is not None if self.creates else None
        if self.unless:
            ran = said.pop(0)
        if self.absent:
            return {"run": self._shown} if ran else None
        due = (held is not False and not ran) if self._has_guard else False
        return None if due else {"run": self._shown}

    def actions(self) -> tuple[Node, ...]:
        """Run it if its guard says so, and see that the guard then is content; or undo it."""
        if self.absent:
            left = self._fail("has been undone, and its guard still says that it has been run")
            return (when(self._ran, *self._stop(self.undo), when(self._ran, *left)),)
        if not self._has_guard:
            return ()
        wrong = self._fail("has been run, and its guard still says that it has not been")
        tried = script(
            assign("just_ran", 1), *self._stop(self.run), when(not_(self._settled), *wrong)
        )
        return (assign("just_ran", 0), unless(self._settled, tried))

    def reactions(self) -> tuple[Node, ...]:
        """Run it, unless this apply has just done so."""
        if not self.on_change_of:
            return ()
        return (unless(equal(ref("just_ran", if_unset=""), 1), *self._stop(self.run)),)

    @property
    def _has_guard(self) -> bool:
        return bool(self.creates or self.unless or self.only_if)

    @property
    def _guards(self) -> tuple[Node, ...]:
        """The guards that are commands: `only_if`, then `unless`."""
        given = [each for each in (self.only_if, self.unless) if each]
        return tuple(redirect(self._around(each), *both_to("/dev/null")) for each in given)

    @property
    def _ran(self) -> Node:
        if self.creates:
            return any_of(exists(self.creates), is_symlink(self.creates))
        return self._guards[-1]

    @property
    def _settled(self) -> Node:
        """There is nothing to run."""
        if not self.only_if:
            return self._ran
        others = [self._ran] if self.creates or self.unless else []
        return any_of(not_(self._guards[0]), *others)

    def _stop(self, item: Item) -> tuple[Node, ...]:
        return (q_or(self._around(item), exit_()),)

    def _fail(self, reason: str) -> tuple[Node, ...]:
        return redirect(println(self.name, reason), duplicate(1, 2)), exit_(1)

    def _around(self, item: Item) -> Node:
        """Return a command in its folder, with its environment, as its user, in a shell apart."""
        parts = item if isinstance(item, Sequence) and not isinstance(item, str) else [item]
        chained = all_of(*parts)
        made: Node = within(self.cwd, chained) if self.cwd else chained
        exports = [export(name, value) for name, value in self.environment.items()]
        whole = subshell(*exports, made)
        if not self.user:
            return whole
        text = render(whole)
        hidden = text != explain(whole)
        given = document(Secret(text) if hidden else text, fd=_TEXT_FD)
        return redirect(command("su", "-s", "/bin/sh", "-c", _BY_TEXT, self.user), given)

    def _asked(self) -> "Ask[tuple[bool, ...]]":
        """The guards as a question of their own, to be put with all others."""
        count = len(self._guards)

        def gather(_: tuple[str, ...]) -> Node:
            return script(*(script(each, println(last_status())) for each in self._guards))

        def read(said: bytes, subjects: tuple[str, ...]) -> Mapping[str, tuple[bool, ...]]:
            held = tuple(each == b"0" for each in said.split())
            return dict.fromkeys(subjects, (held + (False,) * count)[:count])

        name = hashlib.sha256(self.name.encode()).hexdigest()[:16]
        return Fact(name=f"guard-{name}", gather=gather, read=read)()

    @property
    def _shown(self) -> str:
        try:
            return explain(script(self.run))
        except ShellError:  # a script function: which it is, only the host knows
            return self.id
