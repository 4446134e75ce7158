"""A group of users. Who is in it, its users say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.hostspec.resources.account_facts import ACCOUNTS, check_account_name
from chalicelib.hostspec.resources.account_programs import (
    add_group,
    change_gid,
    delete_group,
    group_exists,
)
from chalicelib.shell import Node, unless, when

__all__ = ["Group"]

_ID_END = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Resource):
    """A group.

    Attributes:
        group: its name.
        gid: its number. Default: the next free one.
        system: where no number is given, take one of those for services.

    One that is a user's primary group is not removed: that is an error. Users that the same spec
    gives another one, or removes, leave it first.
    """

    kind: ClassVar[str] = "group"

    group: str
    gid: int | None = None
    system: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_account_name(self, self.group, "group")
        check(self, self.gid is None or 0 <= self.gid < _ID_END, f"gid: {self.gid}")
        check(self, not (self.absent and self.group == "root"), "the system needs it")

    @property
    def subject(self) -> str:
        """Its name."""
        return self.group

    @property
    def provides(self) -> tuple[str, ...]:
        """The group."""
        return (names.group(self.group),)

    @property
    def shares(self) -> Mapping[str, str]:
        """That it goes: users that go as well have to be gone before."""
        return {names.removed_group(): "removed"} if self.absent else {}

    @property
    def wants(self) -> tuple[str, ...]:
        """Where it is to be removed, users that stay: one may have to leave it first."""
        return (names.staying_user(),) if self.absent else ()

    def asks(self) -> tuple[Ask[object], ...]:
        """All accounts."""
        return (ACCOUNTS(),)

    def wanted(self) -> Fields:
        """That it is there, and its number if one is wanted."""
        return {"group": self.group} | ({} if self.gid is None else {"gid": str(self.gid)})

    def found(self, facts: Facts) -> Fields | None:
        """The same of what is there."""
        there = facts[ACCOUNTS()].groups.get(self.group)
        if there is None:
            return None
        return {"group": self.group} | ({} if self.gid is None else {"gid": str(there.gid)})

    def actions(self) -> tuple[Node, ...]:
        """Add it unless it is there, and give it its number; or remove it."""
        there = group_exists(self.group)
        if self.absent:
            return (when(there, delete_group(self.group)),)
        added = unless(there, add_group(self.group, self.gid, self.system))
        return (added, *([] if self.gid is None else [change_gid(self.group, self.gid)]))
