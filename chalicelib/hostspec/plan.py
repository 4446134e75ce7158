"""What has to be done to a host, as data: computed from a spec and the host's answers.

Pure. `script` makes commands of it, `text` shows it to people.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.hostspec.facts import Ask, Fact, Facts
from chalicelib.hostspec.graph import dependants
from chalicelib.hostspec.resource import Difference, Operation, Resource
from chalicelib.hostspec.spec import Spec
from chalicelib.hostspec.system import SYSTEM, System
from chalicelib.shell import Node, q

__all__ = [
    "OWED",
    "OWED_FOLDER",
    "Plan",
    "PlannedChange",
    "asks",
    "everything",
    "make_plan",
    "owed_mark",
]

OWED_FOLDER = "/var/lib/berth/hostspec/owed"
"""On the host: a file for each reaction that is owed, see `owed_mark`."""


def owed_mark(name: str) -> str:
    """Return the name of the file that says that a resource owes a reaction."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def _gather_owed(_: tuple[str, ...]) -> Node:
    return q("ls {folder}", folder=OWED_FOLDER)


def _read_owed(said: bytes, subjects: tuple[str, ...]) -> Mapping[str, bool]:
    marks = set(said.decode(errors="replace").split())
    return {name: owed_mark(name) in marks for name in subjects}


OWED = Fact(name="owed", gather=_gather_owed, read=_read_owed)
"""Whether a reaction was owed and not given: an apply was cut short, or it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChange:
    """What is to be done with one resource.

    Attributes:
        resource: which.
        operation: what.
        differences: why, and what comes of it.
        because: names of the resources whose change it reacts to; itself, if the reaction is owed
            from an earlier apply.
        guards: names of the resources in the plan without whose success it is not tried.
    """

    resource: Resource
    operation: Operation
    differences: tuple[Difference, ...] = ()
    because: tuple[str, ...] = ()
    guards: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done to one host, in order.

    Attributes:
        system: what it runs.
        changes: one for each resource of the spec, also where there is nothing to do.
    """

    system: System
    changes: tuple[PlannedChange, ...]

    @property
    def work(self) -> tuple[PlannedChange, ...]:
        """The changes that do something."""
        return tuple(each for each in self.changes if each.operation is not Operation.NOTHING)

    @property
    def empty(self) -> bool:
        """The host is as it should be."""
        return not self.work


def asks(spec: Spec) -> tuple[Ask[object], ...]:
    """Return all that has to be known of a host for `make_plan`."""
    reacting = [OWED(each.name) for each in spec.resources if each.on_change_of]
    return (SYSTEM(), *reacting, *spec.asks())


def make_plan(spec: Spec, facts: Facts) -> Plan:
    """Return what brings a host that answered so to what the spec says."""
    changes: list[PlannedChange] = []
    working: set[str] = set()
    for each in spec.resources:
        operation = each.operation(facts)
        because = _because(each, working, facts)
        if operation is Operation.NOTHING and because:
            operation = Operation.REACT
        if operation is not Operation.NOTHING:
            working.add(each.name)
        changes.append(
            PlannedChange(
                resource=each,
                operation=operation,
                differences=each.differences(facts),
                because=because,
            )
        )
    return Plan(system=facts[SYSTEM()], changes=_guarded(spec, changes, working))


def everything(spec: Spec, system: System) -> Plan:
    """Return the plan for a host that nobody has looked at: all is done, whatever is there."""
    working = {each.name for each in spec.resources}
    changes = [
        PlannedChange(
            resource=each,
            operation=Operation.REMOVE if each.absent else Operation.CREATE,
            because=() if each.absent else each.on_change_of,
        )
        for each in spec.resources
    ]
    return Plan(system=system, changes=_guarded(spec, changes, working))


def _because(resource: Resource, working: set[str], facts: Facts) -> tuple[str, ...]:
    if resource.absent or not resource.on_change_of:
        return ()
    changing = tuple(name for name in resource.on_change_of if name in working)
    return (*changing, *([resource.name] if facts[OWED(resource.name)] else []))


def _guarded(
    spec: Spec, changes: list[PlannedChange], working: set[str]
) -> tuple[PlannedChange, ...]:
    """Say for each change whose success it waits for: all that it depends on, at any distance."""
    guards: dict[str, set[str]] = {each.name: set() for each in spec.resources}
    for name in working:
        for dependant in dependants(name, spec.before):
            guards[dependant].add(name)
    return tuple(
        PlannedChange(
            resource=each.resource,
            operation=each.operation,
            differences=each.differences,
            because=each.because,
            guards=frozenset(guards[each.resource.name]),
        )
        for each in changes
    )
