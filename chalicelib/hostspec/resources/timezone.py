"""The host's time zone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Fact, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.shell import (
    Node,
    command,
    duplicate,
    exit_,
    is_file,
    not_,
    print_lines,
    println,
    q,
    redirect,
    script,
    when,
)
from chalicelib.transport.files import place_script

__all__ = ["Timezone"]

_ZONES = "/usr/share/zoneinfo"
_LINK = "/etc/localtime"
_NOTE = "/etc/timezone"
_ZONE = re.compile(r"[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*)*")


def _gather(_: tuple[str, ...]) -> Node:
    return script(command("readlink", _LINK), q("cat {note}", note=_NOTE))


def _read(said: bytes, subjects: tuple[str, ...]) -> Mapping[str, tuple[str, str]]:
    lines = said.decode(errors="replace").splitlines()
    place = next((each for each in lines if "/zoneinfo/" in each), "")
    note = next((each for each in lines if each and "/zoneinfo/" not in each), "")
    return dict.fromkeys(subjects, (place.partition("/zoneinfo/")[2], note))


_TIMEZONE = Fact(name="timezone", gather=_gather, read=_read)
"""The zone that /etc/localtime leads to, and the one that /etc/timezone names. No subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timezone(Resource):
    """The zone in which the host's programs tell the time. Where it is `absent`, that is UTC.

    Attributes:
        zone: a name of the tz database, such as `Europe/Berlin`. The host must have its file: the
            package is `tzdata`. Default: UTC.

    Programs that run already keep the zone that they began with.
    """

    kind: ClassVar[str] = "timezone"

    zone: str = "Etc/UTC"

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check(self, _ZONE.fullmatch(self.zone), f"zone: {self.zone!r} is no name of a zone")

    @property
    def subject(self) -> str:
        """A host has only one."""
        return "of the host"

    @property
    def provides(self) -> tuple[str, ...]:
        """Both files."""
        return (names.path(_LINK), names.path(_NOTE))

    @property
    def wants(self) -> tuple[str, ...]:
        """The zones."""
        return (names.package("tzdata"),)

    def asks(self) -> tuple[Ask[object], ...]:
        """What both files say."""
        return (_TIMEZONE(),)

    def wanted(self) -> Fields:
        """The zone, in both files."""
        return {"zone": self.zone, "note": self.zone}

    def found(self, facts: Facts) -> Fields | None:
        """The same as it is."""
        zone, note = facts[_TIMEZONE()]
        return {"zone": zone, "note": note} if zone or note else None

    def actions(self) -> tuple[Node, ...]:
        """Refuse a zone that the host does not know; then replace link and file in one step each."""
        if self.absent:
            return (command("rm", "-f", _LINK, _NOTE),)
        place, part = f"{_ZONES}/{self.zone}", f"{_LINK}.berth"
        refused = redirect(println(f"the host has no {place}: is tzdata there?"), duplicate(1, 2))
        return (
            when(not_(is_file(place)), refused, exit_(1)),
            q("ln -sfn {place} {part}", place=place, part=part),
            q("mv -fT {part} {link}", part=part, link=_LINK),
            place_script(_NOTE, content=print_lines(self.zone), mode=0o644, owner="root:root"),
        )
