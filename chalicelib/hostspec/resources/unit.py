"""A unit of systemd as a file of its own, or what is added to one that a package brings."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource, check, named
from chalicelib.hostspec.resources.file import File
from chalicelib.hostspec.resources.unit_commands import disabled, loaded, stopped
from chalicelib.hostspec.resources.unit_facts import UNITS, check_unit, with_suffix
from chalicelib.shell import (
    Node,
    all_of,
    any_of,
    both_to,
    command,
    is_directory,
    is_file,
    q,
    redirect,
    when,
)

__all__ = ["UNIT_FOLDER", "Sections", "Unit", "check_sections", "sections_text"]

UNIT_FOLDER = "/etc/systemd/system"
Sections: TypeAlias = Mapping[str, Sequence[tuple[str, str]]]
"""By name of the section, its settings in order; one may be set more than once."""
_ACCOUNTS = {"User": names.user, "Group": names.group}
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit(Resource):
    """A file of a unit in /etc/systemd/system. It starts nothing: see `Service`.

    Everybody on the host can read what is in it, secrets do not belong there. systemd reads it at
    once, also when an earlier apply was cut short before that. `absent` stops and disables the unit
    first, if the file is there; without a drop-in the unit goes on with what is left of it.

    Attributes:
        unit: its name; without an ending it is a `.service`. May be a template (`name@.service`).
        sections: such as `{"Service": [("ExecStart", "/usr/bin/x"), ("User", "x")]}`, as in
            systemd.unit(5), escapes and `%` too. An empty value forgets those before it.
        drop_in: name of a file that changes a unit which is there anyway, without `.conf`.
    """

    kind: ClassVar[str] = "unit"

    unit: str
    sections: Sections = field(default_factory=dict)
    drop_in: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_unit(self, self._unit, template=True)
        if self.drop_in:
            named(self, self.drop_in, "drop_in")
        check(self, self.sections or self.absent, "it needs sections")
        check_sections(self, self.sections)

    @property
    def subject(self) -> str:
        """The unit, and the name of the drop-in."""
        return f"{self.unit} {self.drop_in}".strip()

    @property
    def provides(self) -> tuple[str, ...]:
        """The file, and the unit."""
        return (*self._file.provides, *([] if self.drop_in else [names.unit(self._unit)]))

    @property
    def wants(self) -> tuple[str, ...]:
        """What is above the file, the unit that a drop-in changes, and as whom it runs."""
        changed = [names.unit(self._unit)] if self.drop_in else []
        settings = [each for section in self.sections.values() for each in section]
        accounts = [_ACCOUNTS[key](value) for key, value in settings if key in _ACCOUNTS]
        return (*self._file.wants, *changed, *accounts)

    def asks(self) -> tuple[Ask[object], ...]:
        """What is in the file, and whether systemd has read it."""
        return (*self._file.asks(), *([] if self._template else [UNITS(self._unit)]))

    def wanted(self) -> Fields:
        """The file, and that systemd has read it."""
        read = {} if self._template else {"read": "yes"}
        return {**self._file.wanted(), **read}

    def found(self, facts: Facts) -> Fields | None:
        """The same as it is."""
        file = self._file.found(facts)
        if self._template:
            return file
        there = facts[UNITS(self._unit)]
        if file is None:
            return {"read": "before it was removed"} if self.absent and there.stale else None
        unusable = there.load != "loaded" and not self.drop_in and not self.absent
        read = "before it was changed" if there.stale else there.load if unusable else "yes"
        return {**file, "read": read}

    def actions(self) -> tuple[Node, ...]:
        """Write it and have systemd read it; or stop, disable and remove it."""
        path = self._file.path
        if self.absent:
            return self._removal()
        folder = path.rpartition("/")[0]
        read: Node = q("systemctl daemon-reload")
        return (
            q("mkdir -p {folder}", folder=folder),
            *self._file.actions(),
            read if self._template or self.drop_in else loaded(self._unit),
        )

    def _removal(self) -> tuple[Node, ...]:
        path = self._file.path
        folder = path.rpartition("/")[0]
        if self.drop_in:
            gone = redirect(q("rmdir {folder}", folder=folder), *both_to("/dev/null"))
            ended: tuple[Node, ...] = ()
            forgotten: tuple[Node, ...] = ()
            after: tuple[Node, ...] = (when(is_directory(folder), any_of(gone, "true")),)
        else:
            ended = (when(is_file(path), *self._ended()),)
            # Else systemd lists it as failed, if it has, for as long as it runs.
            reset = q("systemctl reset-failed {unit}", unit=self._unit.replace("@.", "@*."))
            forgotten = (any_of(redirect(reset, *both_to("/dev/null")), "true"),)
            after = ()
        return (*ended, *self._file.actions(), *after, q("systemctl daemon-reload"), *forgotten)

    def _ended(self) -> tuple[Node, ...]:
        if self._template:
            instances = self._unit.replace("@.", "@*.")
            return (all_of(command("systemctl", "stop", instances), disabled(self._unit)),)
        return (all_of(stopped(self._unit), disabled(self._unit)),)

    @property
    def _unit(self) -> str:
        return with_suffix(self.unit)

    @property
    def _template(self) -> bool:
        return "@." in self._unit

    @property
    def _file(self) -> File:
        place = f"{UNIT_FOLDER}/{self._unit}"
        path = f"{place}.d/{self.drop_in}.conf" if self.drop_in else place
        return File(path=path, content=sections_text(self.sections), absent=self.absent)


def check_sections(resource: Resource, sections: Sections) -> None:
    """Refuse what systemd would read as something else.

    Raises:
        SpecError: names the resource and the setting.
    """
    for section, settings in sections.items():
        check(resource, _WORD.fullmatch(section), f"{section!r} is no section")
        for key, value in settings:
            check(resource, _WORD.fullmatch(key), f"[{section}] {key!r} is no setting")
            plain = value == value.strip() and value.isprintable() and value[-1:] != "\\"
            check(resource, plain, f"[{section}] {key}: {value!r} is not one plain line")


def sections_text(sections: Sections) -> str:
    r"""Return the text of a unit's file.

    >>> sections_text({"Unit": [("Description", "x")], "Service": [("Type", "exec")]})
    '[Unit]\nDescription=x\n\n[Service]\nType=exec\n'
    """
    return "\n".join(
        f"[{section}]\n" + "".join(f"{key}={value}\n" for key, value in settings)
        for section, settings in sections.items()
    )
