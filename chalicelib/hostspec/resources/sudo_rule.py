"""What a user or a group may do by sudo: one file of /etc/sudoers.d, checked before it counts."""

import re
from dataclasses import dataclass
from typing import ClassVar

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.hostspec.resources.account_facts import check_account_name
from chalicelib.hostspec.resources.path_facts import CONTENTS, PATHS
from chalicelib.shell import Node, is_directory, not_, print_text, q, ref, when
from chalicelib.transport.files import place_script

__all__ = ["SudoRule"]

_FOLDER = "/etc/sudoers.d"
_MODE = 0o440
# sudo reads no file with a dot in its name, or a tilde at its end.
_RULE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
_COMMAND = re.compile(r"ALL|/[A-Za-z0-9/_.@%+=:, -]*[A-Za-z0-9/_.@%+=-]")
_SPECIAL = re.compile(r"[,:=]")
_ANY = "ALL"


@dataclass(frozen=True, slots=True, kw_only=True)
class SudoRule(Resource):
    """A rule of sudo.

    Attributes:
        rule: names its file.
        user: who may. Either this or `group`.
        group: whose members may.
        as_user: as whom; `ALL` for anybody. Default: root.
        commands: what: absolute paths, with arguments if just these may be given; without wildcards,
            quotes and backslashes. Default: all.
        nopasswd: no password is asked for. Default: one is.
    """

    kind: ClassVar[str] = "sudo rule"

    rule: str
    user: str = ""
    group: str = ""
    as_user: str = "root"
    commands: tuple[str, ...] = (_ANY,)
    nopasswd: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check(self, _RULE.fullmatch(self.rule), f"rule: {self.rule!r} is no name that sudo reads")
        if self.absent:
            return
        check(self, bool(self.user) != bool(self.group), "either a user or a group may")
        check_account_name(self, self.user or self.group, "who")
        check_account_name(self, self.as_user, "as_user")
        check(self, self.commands, "commands: none are named")
        for each in self.commands:
            check(self, _COMMAND.fullmatch(each), f"commands: {each!r} is no plain command")

    @property
    def subject(self) -> str:
        """Its name."""
        return self.rule

    @property
    def provides(self) -> tuple[str, ...]:
        """Its file."""
        return (names.path(self._path),)

    @property
    def wants(self) -> tuple[str, ...]:
        """Who may, and sudo itself."""
        who = names.user(self.user) if self.user else names.group(self.group)
        return (who, names.package("sudo"), *names.under(self._path))

    def asks(self) -> tuple[Ask[object], ...]:
        """Its file."""
        return (PATHS(self._path), CONTENTS(self._path))

    def wanted(self) -> Fields:
        """What it says, and that nobody else may change it."""
        return {"rule": self._text, "mode": f"{_MODE:04o}", "owner": "root", "group": "root"}

    def found(self, facts: Facts) -> Fields | None:
        """The same of what is there."""
        there = facts[PATHS(self._path)]
        if there is None or (self.absent and there.kind == "directory"):
            return None
        said = (facts[CONTENTS(self._path)] or b"").decode(errors="replace")
        return {"rule": said, "mode": there.mode, "owner": there.owner, "group": there.group}

    def actions(self) -> tuple[Node, ...]:
        """Write it beside its place, have visudo read it, and rename it; or remove it."""
        if self.absent:
            return (when(not_(is_directory(self._path)), q("rm -f {path}", path=self._path)),)
        placed = place_script(
            self._path,
            content=print_text(self._text),
            mode=_MODE,
            owner="root:root",
            whole=q("visudo -cqf {part}", part=ref("part")),
        )
        return (placed,)

    @property
    def _path(self) -> str:
        return f"{_FOLDER}/{self.rule}"

    @property
    def _text(self) -> str:
        who = self.user or f"%{self.group}"
        tag = "NOPASSWD: " if self.nopasswd else "PASSWD: "
        allowed = ", ".join(_SPECIAL.sub(r"\\\g<0>", each) for each in self.commands)
        return f"{who} ALL=({self.as_user}) {tag}{allowed}\n"
