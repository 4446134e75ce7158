"""The graph of resources: who needs whom, in which order, and who is stopped by a failure.

Pure. No kind of resource is known here: one says by names what it provides and what it wants.

>>> home = Vertex(name="directory /srv", provides=("path /srv",))
>>> page = Vertex(name="file /srv/page", provides=("path /srv/page",), wants=("path /srv",))
>>> [each.name for each in in_order((page, home))]
['directory /srv', 'file /srv/page']
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from chalicelib.errors import SpecError

__all__ = ["Vertex", "dependants", "dependencies", "in_order"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex:
    """One resource, as the graph sees it.

    `needs` are names of other resources, which must exist. `wants` are implied: each is met by the
    resource that provides it, and by the host itself if none does (`/etc` is there anyway). Of two
    that are both `absent`, the order is the other way round: a file goes before its folder.

    What one `provides`, no other may; what it `shares`, others may share if they say the same of it:
    two lists of packages with one in both.
    """

    name: str
    needs: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    shares: Mapping[str, str] = field(default_factory=dict)
    wants: tuple[str, ...] = ()
    absent: bool = False


def dependencies(vertices: Sequence[Vertex]) -> dict[str, frozenset[str]]:
    """Return, for each resource by name, the names of those that come directly before it.

    A resource that wants what it provides itself does not depend on itself.

    Raises:
        SpecError: Two resources have one name, provide the same, or do not agree about what they
            share; or a needed one is not there, or is to be removed while the one that needs it
            stays.
    """
    names = _owners([(each.name, each.name) for each in vertices])
    providers = _providers(vertices)
    absent = {each.name for each in vertices if each.absent}
    before: dict[str, set[str]] = {each.name: set() for each in vertices}
    for each in vertices:
        for needed in _needed(each, names, providers):
            if needed in absent and not each.absent:
                raise SpecError(reason=f"{each.name} needs {needed}, which is to be removed")
            first, then = (each.name, needed) if needed in absent else (needed, each.name)
            before[then].add(first)
    return {name: frozenset(found) for name, found in before.items()}


def in_order(vertices: Sequence[Vertex]) -> tuple[Vertex, ...]:
    """Return the resources, each after all that it depends on, otherwise as they were given.

    Raises:
        SpecError: As `dependencies`; or some need each other in a circle, which it names.
    """
    sorter = TopologicalSorter(dependencies(vertices))
    try:
        sorter.prepare()
    except CycleError as error:
        # graphlib names each before the one that needs it; people read "a needs b".
        circle = " needs ".join(reversed(error.args[1]))
        raise SpecError(reason=f"a circle: {circle}") from error
    places = {each.name: place for place, each in enumerate(vertices)}
    waiting: list[int] = []
    ordered: list[Vertex] = []
    while sorter.is_active():
        waiting = sorted([*waiting, *(places[name] for name in sorter.get_ready())])
        first = vertices[waiting.pop(0)]
        ordered.append(first)
        sorter.done(first.name)
    return tuple(ordered)


def dependants(name: str, before: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return the names of all that depend on `name`, directly or not, given `dependencies`."""
    found: set[str] = set()
    ends = {name}
    while ends:
        ends = {each for each, needed in before.items() if needed & ends} - found
        found |= ends
    return frozenset(found)


def _owners(claims: Sequence[tuple[str, str]]) -> dict[str, str]:
    owners: dict[str, str] = {}
    for what, owner in claims:
        if what in owners:
            raise SpecError(reason=f"{what} is there twice: by {owners[what]} and by {owner}")
        owners[what] = owner
    return owners


def _providers(vertices: Sequence[Vertex]) -> dict[str, set[str]]:
    """Return who provides or shares a thing, by the thing."""
    owners = _owners([(what, each.name) for each in vertices for what in each.provides])
    providers = {what: {owner} for what, owner in owners.items()}
    said: dict[str, tuple[str, str]] = {}
    for each in vertices:
        for what, how in each.shares.items():
            before, by = said.setdefault(what, (how, each.name))
            if before != how:
                reason = f"{what} is to be {before} for {by}, and {how} for {each.name}"
                raise SpecError(reason=reason)
            providers.setdefault(what, set()).add(each.name)
    return providers


def _needed(
    vertex: Vertex, names: Mapping[str, str], providers: Mapping[str, set[str]]
) -> frozenset[str]:
    for needed in vertex.needs:
        if needed not in names:
            raise SpecError(reason=f"{vertex.name} needs {needed}, which is not there")
    implied = {each for what in vertex.wants for each in providers.get(what, ())} - {vertex.name}
    return frozenset(implied.union(vertex.needs))
