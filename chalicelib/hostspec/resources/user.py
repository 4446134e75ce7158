"""A user: numbers, home, shell and groups; and that no password opens the account."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.hostspec.resources.account_facts import (
    ACCOUNTS,
    Account,
    Accounts,
    check_account_name,
)
from chalicelib.hostspec.resources.account_programs import (
    add_group,
    add_to_group,
    add_user,
    change_user,
    delete_user,
    group_exists,
    leave_other_groups,
    lock_password,
    user_exists,
)
from chalicelib.hostspec.resources.path_facts import PATHS, check_path
from chalicelib.shell import (
    Node,
    all_of,
    command,
    equal,
    is_directory,
    not_,
    output,
    q,
    script,
    unless,
    when,
)

__all__ = ["User"]

_ID_END = 2**32 - 1
_NO_HOME = "/nonexistent"
_TOP_FOLDERS = 2
"""A home is at least so deep that no folder of the system is taken for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Resource):
    """A user of the host's own files.

    Attributes:
        user: the name.
        uid: the number. Default: the next free one.
        group: the primary group. Default: one of the user's name, made if it is missing.
        groups: additional groups, which must be there or be resources too.
        exact_groups: the user is in no other group than those. Default: others stay.
        home: its folder. Default: `/home/` and the name; for a `system` user none.
        login_shell: default: /bin/sh; for a `system` user /usr/sbin/nologin.
        comment: what passwd(5) says of the user. Default: not cared for.
        system: a service: no home and no login unless they are named, a number of those for services.
        locked: no password opens the account. Default: not cared for. A new account is locked.
        with_home: with `absent`, remove the home folder too. Default: it stays.

    A home that is missing is made from /etc/skel, for the user alone (mode 0700).
    """

    kind: ClassVar[str] = "user"

    user: str
    uid: int | None = None
    group: str = ""
    groups: tuple[str, ...] = ()
    exact_groups: bool = False
    home: str = ""
    login_shell: str = ""
    comment: str = ""
    system: bool = False
    locked: bool = False
    with_home: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_account_name(self, self.user, "user")
        for each in (self._group, *self.groups):
            check_account_name(self, each, "group")
        check(self, self.uid is None or 0 <= self.uid < _ID_END, f"uid: {self.uid}")
        for path, field in ((self._home, "home"), (self._shell, "shell")):
            check_path(self, path, field)
            check(self, ":" not in path, f"{field}: {path!r} has a colon")
        plain = self.comment.isprintable() and not {":", "\\"} & set(self.comment)
        check(self, plain, f"comment: {self.comment!r} is no plain text")
        check(self, not (self.absent and self.user == "root"), "the system needs it")
        deep = self._home.count("/") >= _TOP_FOLDERS
        check(self, deep or not self.with_home, f"home: {self._home} may not be the user's alone")

    @property
    def subject(self) -> str:
        """The name."""
        return self.user

    @property
    def provides(self) -> tuple[str, ...]:
        """The user."""
        return (names.user(self.user),)

    @property
    def shares(self) -> Mapping[str, str]:
        """Its home; and that it stays: it may have to leave a group before that can be removed."""
        stays = {} if self.absent else {names.staying_user(): "there"}
        if not self._has_home or (self.absent and not self.with_home):
            return stays
        return {**stays, names.path(self._home): "removed" if self.absent else "a home"}

    @property
    def wants(self) -> tuple[str, ...]:
        """Its groups, and what is above its home. Which it is in, before it is removed, is not known."""
        above = names.under(self._home) if self._has_home else ()
        other = (names.removed_group(),) if self.absent else ()
        return (*map(names.group, (self._group, *self.groups)), *above, *other)

    def asks(self) -> tuple[Ask[object], ...]:
        """All accounts, and its home."""
        return (ACCOUNTS(), PATHS(self._home))

    def wanted(self) -> Fields:
        """All of it that is cared for."""
        return {
            **({} if self.uid is None else {"uid": str(self.uid)}),
            "group": self._group,
            "groups": ", ".join(sorted(set(self.groups))),
            "home": self._home,
            **({"home folder": "directory"} if self._has_home else {}),
            "shell": self._shell,
            **({"comment": self.comment} if self.comment else {}),
            **({"password": "locked"} if self.locked else {}),
        }

    def found(self, facts: Facts) -> Fields | None:
        """The same of what is there."""
        accounts = facts[ACCOUNTS()]
        there = accounts.users.get(self.user)
        if there is None:
            return None
        folder = facts[PATHS(self._home)]
        known = {
            **self._known(there, accounts),
            "home folder": "missing" if folder is None else folder.kind,
        }
        return {field: known[field] for field in self.wanted()}

    def _known(self, there: Account, accounts: Accounts) -> dict[str, str]:
        groups = accounts.groups_of(self.user)
        shown = groups if self.exact_groups else groups & set(self.groups)
        # The primary group needs no second mention, and programs differ in whether they make one.
        shown |= {accounts.group_of(there.gid)} & set(self.groups)
        if self._group not in self.groups:
            shown -= {self._group}
        return {
            "uid": str(there.uid),
            "group": accounts.group_of(there.gid),
            "groups": ", ".join(sorted(shown)),
            "home": there.home,
            "shell": there.login,
            "comment": there.comment,
            "password": there.lock,
        }

    def actions(self) -> tuple[Node, ...]:
        """Add the user and its own group unless they are there, then make the rest as wanted."""
        there = user_exists(self.user)
        if self.absent:
            removed = [self._remove_home()] if self.with_home else []
            return (when(there, all_of(*removed, delete_user(self.user))),)
        own = [] if self.group else [_own_group(self.user, self.system)]
        joined = [add_to_group(self.user, each) for each in sorted(set(self.groups))]
        if self.exact_groups:
            joined.append(leave_other_groups(self.user, tuple(sorted(set(self.groups)))))
        return (
            *own,
            unless(there, add_user(self.user, self._properties)),
            change_user(self.user, self._properties),
            *joined,
            *([self._make_home()] if self._has_home else []),
            *([lock_password(self.user)] if self.locked else []),
        )

    def _make_home(self) -> Node:
        part = f"{self._home}.berth"
        made = all_of(
            q("rm -rf {part}", part=part),
            q("mkdir -m 700 {part}", part=part),
            when(is_directory("/etc/skel"), q("cp -R /etc/skel/. {part}", part=part)),
            q("chown -R {owner} {part}", owner=f"{self.user}:{self._group}", part=part),
            q("mv {part} {home}", part=part, home=self._home),
        )
        return when(not_(is_directory(self._home)), made)

    def _remove_home(self) -> Node:
        """Return the removal of the home, if it is the user's own."""
        owner = output(command("stat", "-c", "%U", self._home))
        own = all_of(is_directory(self._home), equal(owner, self.user))
        return when(own, q("rm -rf {home}", home=self._home))

    @property
    def _properties(self) -> dict[str, object]:
        return {
            "uid": self.uid,
            "comment": self.comment,
            "group": self._group,
            "home": self._home,
            "shell": self._shell,
            "system": self.system,
        }

    @property
    def _group(self) -> str:
        return self.group or self.user

    @property
    def _home(self) -> str:
        return self.home or (_NO_HOME if self.system else f"/home/{self.user}")

    @property
    def _has_home(self) -> bool:
        return self._home != _NO_HOME

    @property
    def _shell(self) -> str:
        return self.login_shell or ("/usr/sbin/nologin" if self.system else "/bin/sh")


def _own_group(name: str, system: bool) -> Node:  # noqa: FBT001 - as the program takes it
    return script(unless(group_exists(name), add_group(name, None, system)))
