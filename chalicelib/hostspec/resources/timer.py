"""A command at certain times, by systemd: a timer, and the service that it starts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.hostspec.resources.service import Service
from chalicelib.hostspec.resources.unit import Sections, Unit, check_sections
from chalicelib.hostspec.resources.unit_facts import check_unit
from chalicelib.shell import Node

__all__ = ["Timer"]

_SECOND = timedelta(seconds=1)
_NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer(Resource):
    """A timer of systemd, enabled and running, with a `oneshot` service of its own.

    `absent` stops and removes both. Its service runs when its time comes, not when it is applied.

    Attributes:
        id: names `<id>.timer` and `<id>.service`.
        run: the command as `ExecStart` of systemd.service(5): an absolute program and its words,
            each given as it is; `%`, `$` and quotes mean nothing in them.
        calendar: when, as in systemd.time(7), such as `*-*-* 03:00:00` or `hourly`; or
        every: time from one run to the next, the first after the timer starts; full seconds.
        persistent: with `calendar`: what was missed while the host was off is made up for.
        spread: random delay, so that not all hosts run it at once. Default: none.
        user: who runs it. Default: root.
        service: further settings of the service's `[Service]`.
    """

    kind: ClassVar[str] = "timer"

    id: str
    run: Sequence[str] = ()
    calendar: str = ""
    every: timedelta = _NO_TIME
    persistent: bool = False
    spread: timedelta = _NO_TIME
    user: str = "root"
    service: Sequence[tuple[str, str]] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_unit(self, f"{self.id}.timer")
        check_unit(self, f"{self.id}.service")
        if self.absent:
            return
        check(self, self.run and self.run[0].startswith("/"), "run: it begins with a path")
        plain = all(each.isprintable() for each in self.run)
        check(self, plain, "run: each word is on one line")
        check(self, bool(self.calendar) != bool(self.every), "either calendar or every")
        check(self, self.calendar or not self.persistent, "only a calendar can be persistent")
        whole = all(each % _SECOND == _NO_TIME <= each for each in (self.every, self.spread))
        check(self, whole, "times are in full seconds")
        check_sections(self, self._service_sections)
        check_sections(self, self._timer_sections)

    @property
    def subject(self) -> str:
        """Its id."""
        return self.id

    @property
    def provides(self) -> tuple[str, ...]:
        """Both units and their files."""
        return tuple(what for each in self._units for what in each.provides)

    @property
    def wants(self) -> tuple[str, ...]:
        """What is above the files, and who runs it."""
        above = (what for each in self._units for what in each.wants)
        program = [names.path(self.run[0])] if self.run else []
        return (*dict.fromkeys(above), names.user(self.user), *program)

    def asks(self) -> tuple[Ask[object], ...]:
        """What is in the files, and what systemd knows of them."""
        parts: tuple[Resource, ...] = (*self._units, self._started)
        return tuple(ask for each in parts for ask in each.asks())

    def wanted(self) -> Fields:
        """Both files, and that the timer runs and is enabled."""
        service, timer = self._units
        return {
            **{f"service {name}": value for name, value in service.wanted().items()},
            **{f"timer {name}": value for name, value in timer.wanted().items()},
            **self._started.wanted(),
        }

    def found(self, facts: Facts) -> Fields | None:
        """The same as it is."""
        service, timer = (each.found(facts) for each in self._units)
        if service is None and timer is None:
            return None
        return {
            **{f"service {name}": value for name, value in (service or {}).items()},
            **{f"timer {name}": value for name, value in (timer or {}).items()},
            **(self._started.found(facts) or {}),
        }

    def actions(self) -> tuple[Node, ...]:
        """Write both, have systemd read them, and start the timer with its new times."""
        service, timer = self._units
        if self.absent:
            return (*timer.actions(), *service.actions())
        started = self._started
        return (*service.actions(), *timer.actions(), *started.actions(), *started.reactions())

    @property
    def _started(self) -> Service:
        return Service(unit=f"{self.id}.timer")

    @property
    def _units(self) -> tuple[Unit, Unit]:
        files = {"service": self._service_sections, "timer": self._timer_sections}
        service, timer = (
            Unit(unit=f"{self.id}.{kind}", sections=sections, absent=self.absent)
            for kind, sections in files.items()
        )
        return service, timer

    @property
    def _service_sections(self) -> Sections:
        started = ("ExecStart", " ".join(_word(each) for each in self.run))
        settings = [("Type", "oneshot"), ("User", self.user), started, *self.service]
        return {"Service": settings}

    @property
    def _timer_sections(self) -> Sections:
        seconds = f"{self.every // _SECOND}s"
        times = [("OnActiveSec", seconds), ("OnUnitActiveSec", seconds)]
        settings = [
            *([("OnCalendar", self.calendar)] if self.calendar else times),
            *([("Persistent", "true")] if self.persistent else []),
            *([("RandomizedDelaySec", f"{self.spread // _SECOND}s")] if self.spread else []),
            # Else systemd puts runs together within a minute.
            ("AccuracySec", "1s"),
        ]
        return {"Timer": settings, "Install": [("WantedBy", "timers.target")]}


def _word(text: str) -> str:
    r"""Return a word as systemd.service(5) reads it, quoted if need be.

    >>> print(_word("/bin/date"), _word("+%F $x 'a'"), _word("\\"), _word(""))
    /bin/date "+%%F $$x 'a'" "\\" ""
    """
    plain = re.fullmatch(r"[A-Za-z0-9_/.,:+=@-]+", text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return text if plain else f'"{escaped}"'
