"""A service (or socket, timer, target) of systemd or OpenRC: whether it runs, now and at boot."""

import re
from dataclasses import dataclass
from typing import ClassVar, Literal

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.hostspec.resources.unit_commands import (
    disabled,
    enabled,
    masked,
    reacted,
    started,
    stopped,
    unmasked,
)
from chalicelib.hostspec.resources.unit_facts import UNITS, UnitState, check_unit, with_suffix
from chalicelib.shell import Node

__all__ = ["Service"]

_UNTIL_BOOT = "until boot"
_YES = {True: "yes", False: "no"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Resource):
    """A service that something else has put on the host: a package, or a `Unit`.

    A service that does not start, or dies within a second, is an error with its last log lines.
    `absent` stops and disables it; its files stay.

    Attributes:
        unit: its name; without an ending it is a `.service`.
        running: whether it runs; None: not cared for, as for a `oneshot` that ends.
        enabled: whether it is started at boot; None: not cared for. What cannot be enabled, as it
            does not say when to be started, is as it should be either way.
        masked: nothing can start it; it is then stopped and disabled, whatever the others say.
            OpenRC cannot do this.
        on_change: what is done when one of `on_change_of` changes. What does not run is left so,
            and what this apply starts is not restarted. What cannot reload is restarted.
    """

    kind: ClassVar[str] = "service"

    unit: str
    running: bool | None = True
    enabled: bool | None = True
    masked: bool = False
    on_change: Literal["restart", "reload"] = "restart"

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_unit(self, self._unit)
        check(self, self.on_change in {"restart", "reload"}, f"on_change: {self.on_change!r}")

    @property
    def subject(self) -> str:
        """The unit."""
        return self.unit

    @property
    def wants(self) -> tuple[str, ...]:
        """The unit's files; those of an instance are its template's."""
        template = re.sub(r"@.*(\.[a-z]+)$", r"@\1", self._unit)
        return tuple(dict.fromkeys([names.unit(self._unit), names.unit(template)]))

    def asks(self) -> tuple[Ask[object], ...]:
        """What systemd knows of it."""
        return (UNITS(self._unit),)

    def wanted(self) -> Fields:
        """Whether it runs, is enabled, and is masked."""
        found = {"masked": _YES[self.masked]}
        if self._running is not None:
            found["running"] = _YES[self._running]
        if self._enabled is not None:
            found["enabled"] = _YES[self._enabled]
        return found

    def found(self, facts: Facts) -> Fields | None:
        """The same as it is."""
        there = facts[UNITS(self._unit)]
        running, is_enabled, is_masked = self._state(there)
        if self.absent:
            found = {"running": running, "enabled": is_enabled}
            return {name: value for name, value in found.items() if value != "no"} or None
        fields = {"masked": is_masked, "running": running, "enabled": is_enabled}
        found = {name: fields[name] for name in self.wanted()}
        # Where it is to be left alone, it is there also if it does nothing.
        does_nothing = set(found.values()) == {"no"} and "yes" in self.wanted().values()
        return None if does_nothing else found

    def _state(self, there: UnitState) -> tuple[str, str, str]:
        running = "yes" if there.started else "no" if there.stopped else there.active
        if there.active == "failed" and self._running:
            running = "failed"
        is_enabled = "yes" if there.file == "enabled" else "no"
        if there.free:
            is_enabled = _YES[bool(self._enabled)]
        elif there.file == "enabled-runtime":
            is_enabled = _UNTIL_BOOT
        is_masked = _UNTIL_BOOT if there.file == "masked-runtime" else _YES[there.load == "masked"]
        return running, is_enabled, is_masked

    def actions(self) -> tuple[Node, ...]:
        """Unmask, enable and start it, or the reverse, or what is wanted of these."""
        unit = self._unit
        free = () if self.masked or self.absent else (unmasked(unit),)
        boot = {True: (enabled(unit),), False: (disabled(unit),), None: ()}[self._enabled]
        run = {True: (started(unit),), False: (stopped(unit),), None: ()}[self._running]
        return (*free, *boot, *run, *((masked(unit),) if self.masked and not self.absent else ()))

    def reactions(self) -> tuple[Node, ...]:
        """Restart it, or have it read its configuration again."""
        if not self._running:
            verb = {"restart": "try-restart", "reload": "try-reload-or-restart"}[self.on_change]
        else:
            verb = {"restart": "restart", "reload": "reload-or-restart"}[self.on_change]
        return (reacted(self._unit, verb),)

    @property
    def _unit(self) -> str:
        return with_suffix(self.unit)

    @property
    def _running(self) -> bool | None:
        return False if self.masked or self.absent else self.running

    @property
    def _enabled(self) -> bool | None:
        return False if self.masked or self.absent else self.enabled
