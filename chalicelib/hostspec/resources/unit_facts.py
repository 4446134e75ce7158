"""What systemd, or OpenRC, knows of units: one question for all of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.hostspec.facts import Fact
from chalicelib.hostspec.resource import Resource, check
from chalicelib.hostspec.resources import openrc_commands as openrc
from chalicelib.shell import Node, command, if_, is_directory, is_executable

__all__ = ["UNITS", "UnitState", "check_unit", "with_suffix"]

_PROPERTIES = "Names,LoadState,ActiveState,UnitFileState,NeedDaemonReload"
_SUFFIXES = (
    "automount", "device", "mount", "path", "scope", "service", "slice", "socket", "swap",
    "target", "timer",
)  # fmt: skip
_NAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_.:\\@-]*\.({'|'.join(_SUFFIXES)})")
_LONGEST = 255
"""`UNIT_NAME_MAX` of systemd."""
_FREE = frozenset({"static", "generated", "indirect", "transient", "alias"})


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitState:
    """What systemd says of a unit; each in its words, empty where it said nothing.

    Attributes:
        load: `loaded`, `not-found`, `masked`, `bad-setting`, `error`.
        active: `active`, `inactive`, `failed`, `activating`, `reloading`, `deactivating`.
        file: as `systemctl is-enabled`.
        stale: its files have changed since systemd read them.
    """

    load: str = ""
    active: str = ""
    file: str = ""
    stale: bool = False

    @property
    def started(self) -> bool:
        """It runs, or has done what it is for."""
        return self.active in {"active", "reloading"}

    @property
    def stopped(self) -> bool:
        """Nothing of it runs, or is about to."""
        return self.active in {"inactive", "failed", ""}

    @property
    def free(self) -> bool:
        """It can neither be enabled nor disabled: it says nothing of when it is started."""
        return self.file in _FREE


def with_suffix(name: str) -> str:
    """Return the name of a unit with its ending.

    >>> with_suffix("nginx"), with_suffix("a.timer")
    ('nginx.service', 'a.timer')
    """
    return name if name.rpartition(".")[2] in _SUFFIXES else f"{name}.service"


def check_unit(resource: Resource, name: str, *, template: bool = False) -> None:
    """Refuse what is no name of a unit.

    Args:
        resource: whose it is.
        name: with its ending.
        template: `name@.service` is one too. systemd answers about none if it is asked about such.

    Raises:
        SpecError: names the resource and the unit.
    """
    good = _NAME.fullmatch(name) and len(name) <= _LONGEST and name.count("@") <= 1
    check(resource, good, f"{name!r} is no unit")
    check(resource, template or "@." not in name, f"{name} is a template: name an instance")


def _gather(units: tuple[str, ...]) -> Node:
    shown = command("systemctl", "show", f"--property={_PROPERTIES}", "--", units)
    has_openrc = is_executable("/sbin/openrc-run")
    return if_(is_directory("/run/systemd/system"), shown, elif_=[(has_openrc, openrc.ask(units))])


def _read(said: bytes, units: tuple[str, ...]) -> Mapping[str, UnitState]:
    found = dict.fromkeys(units, UnitState())
    text = said.decode(errors="replace")
    blocks = [
        dict(line.partition("=")[::2] for line in each.splitlines()) for each in text.split("\n\n")
    ]
    by_systemd = [(name, each) for each in blocks for name in each.get("Names", "").split()]
    for name, properties in by_systemd or openrc.read(text).items():
        if name in found:
            found[name] = UnitState(
                load=properties.get("LoadState", ""),
                active=properties.get("ActiveState", ""),
                file=properties.get("UnitFileState", ""),
                stale=properties.get("NeedDaemonReload") == "yes",
            )
    return found


UNITS = Fact(name="units", gather=_gather, read=_read)
"""What a unit does, by its name with its ending."""
