"""The users and groups of a host, and whether a password opens an account: all in one question.

Only what is in the host's own files: users of a directory service are not ours to change. No hash
of a password leaves the host.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.hostspec.facts import Fact
from chalicelib.hostspec.resource import Resource, check
from chalicelib.shell import Node, command

__all__ = ["ACCOUNTS", "Account", "Accounts", "GroupState", "check_account_name"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,30}")
_PRINT = """
FILENAME != "/etc/shadow" { print; next }
{ print $1 ":" ($2 ~ /^[!*]/ ? "locked" : $2 == "" ? "empty" : "set") }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A line of passwd(5), and what shadow(5) says of its password.

    Attributes:
        uid: its number.
        gid: its primary group's number.
        comment: the fifth field.
        home: its folder.
        login: its login shell.
        lock: of its password: `locked`, `set`, `empty`; or `unknown`.
    """

    uid: int
    gid: int
    comment: str
    home: str
    login: str
    lock: str = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupState:
    """A line of group(5)."""

    gid: int
    members: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """All of them, by name."""

    users: Mapping[str, Account] = field(default_factory=dict)
    groups: Mapping[str, GroupState] = field(default_factory=dict)

    def group_of(self, gid: int) -> str:
        """Return the name of a group, or its number where it has none."""
        return next((name for name, each in self.groups.items() if each.gid == gid), str(gid))

    def groups_of(self, user: str) -> frozenset[str]:
        """Return the groups that name a user as a member, the primary one left out."""
        return frozenset(name for name, each in self.groups.items() if user in each.members)


def check_account_name(resource: Resource, name: str, what: str) -> None:
    """Refuse a name that no user or group can have, or that a program could take for a number.

    Raises:
        SpecError: names the resource, the field and the name.
    """
    check(resource, _NAME.fullmatch(name), f"{what}: {name!r} is no name of an account")


def _gather(_: tuple[str, ...]) -> Node:
    return command("awk", "-F:", _PRINT, "/etc/passwd", "/etc/group", "/etc/shadow")


def _read(said: bytes, subjects: tuple[str, ...]) -> Mapping[str, Accounts]:
    users: dict[str, Account] = {}
    groups: dict[str, GroupState] = {}
    passwords: dict[str, str] = {}
    # Neither file can hold a colon in a field: the number of fields tells which one a line is of.
    for line in said.decode(errors="replace").splitlines():
        match line.split(":"):
            case [name, _, uid, gid, comment, home, shell] if _number(uid) and _number(gid):
                users.setdefault(
                    name,
                    Account(uid=int(uid), gid=int(gid), comment=comment, home=home, login=shell),
                )
            case [name, _, gid, members] if _number(gid):
                found = frozenset(members.split(",")) - {""}
                groups.setdefault(name, GroupState(gid=int(gid), members=found))
            case [name, state]:
                passwords.setdefault(name, state)
            case _:
                pass
    known = {name: _with_password(each, passwords.get(name)) for name, each in users.items()}
    return dict.fromkeys(subjects, Accounts(users=known, groups=groups))


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _with_password(account: Account, lock: str | None) -> Account:
    return Account(
        uid=account.uid,
        gid=account.gid,
        comment=account.comment,
        home=account.home,
        login=account.login,
        lock=lock or "unknown",
    )


ACCOUNTS = Fact(name="accounts", gather=_gather, read=_read)
"""All users and groups of the host's own files. Its subject is empty."""
