"""A limit that a session gets when somebody logs in: limits.conf(5), by pam_limits(8)."""

import re
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from chalicelib.hostspec import names
from chalicelib.hostspec.resource import check
from chalicelib.hostspec.resources.file import File
from chalicelib.hostspec.resources.one_file import OneFile

__all__ = ["Limit", "LimitItem", "LimitValue"]

LimitItem: TypeAlias = Literal[
    "core", "data", "fsize", "memlock", "nofile", "rss", "stack", "cpu", "nproc", "as",
    "maxlogins", "maxsyslogins", "priority", "locks", "sigpending", "msgqueue", "nice", "rtprio",
]  # fmt: skip
"""What is limited: as limits.conf(5), with its units."""
LimitValue: TypeAlias = int | Literal["unlimited"]
_ITEMS = frozenset(LimitItem.__args__)  # type: ignore[attr-defined]
_SIGNED = frozenset({"nice", "priority"})
_DOMAIN = re.compile(r"\*|@?[A-Za-z0-9_][A-Za-z0-9_.-]*")
_FOLDER = "/etc/security/limits.d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(OneFile):
    """A limit, in a file of its own in /etc/security/limits.d. It is for sessions that start later.

    Attributes:
        domain: a user, a group (`@adm`), or `*` for all but root.
        item: what is limited.
        soft: what a session starts with; None: not said.
        hard: what it can raise that to; None: not said.
    """

    kind: ClassVar[str] = "limit"

    domain: str
    item: LimitItem
    soft: LimitValue | None = None
    hard: LimitValue | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check(self, _DOMAIN.fullmatch(self.domain), f"domain: {self.domain!r} is no user or group")
        check(self, self.item in _ITEMS, f"item: {self.item!r} cannot be limited")
        values = [each for each in (self.soft, self.hard) if each is not None]
        check(self, values or self.absent, "it needs soft or hard")
        for each in values:
            number = isinstance(each, int) and (each >= 0 or self.item in _SIGNED)
            check(self, number or each == "unlimited", f"{each!r} is no limit")
            # Before Linux-PAM 1.5.3 nobody could log in any more: setrlimit(2) refuses it.
            endless = each == "unlimited" and self.item in {"nofile", *_SIGNED}
            check(self, not endless, f"{self.item} must be a number")
        if isinstance(self.soft, int) and isinstance(self.hard, int) and self.item not in _SIGNED:
            check(self, self.soft <= self.hard, "soft is above hard")

    @property
    def subject(self) -> str:
        """For whom, and what."""
        return f"{self.domain} {self.item}"

    @property
    def provides(self) -> tuple[str, ...]:
        """Its file."""
        return self.file.provides

    @property
    def wants(self) -> tuple[str, ...]:
        """Folders above its file, and for whom it is."""
        who = self.domain.removeprefix("@")
        own = names.user(who) if who == self.domain else names.group(who)
        return (*self.file.wants, *([] if who == "*" else [own]))

    @property
    def file(self) -> File:
        """Its file."""
        # No user or group has a comma in its name, so no two domains have one file.
        who = ",all" if self.domain == "*" else self.domain.replace("@", "group,")
        lines = [
            f"{self.domain} {kind} {self.item} {value}\n"
            for kind, value in (("soft", self.soft), ("hard", self.hard))
            if value is not None
        ]
        path = f"{_FOLDER}/berth-{who},{self.item}.conf"
        return File(path=path, content="".join(lines), absent=self.absent)
