"""A host's whole description: resources, in an order in which each comes after what it needs.

>>> from chalicelib.hostspec.resources import Directory, File
>>> page = File(path="/srv/page", content="hello")
>>> [each.name for each in Spec(page, Directory(path="/srv")).resources]
['directory /srv', 'file /srv/page']
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias, Union

from chalicelib.errors import SpecError
from chalicelib.hostspec.facts import Ask
from chalicelib.hostspec.graph import dependencies, in_order
from chalicelib.hostspec.resource import Resource

__all__ = ["Part", "Spec"]

Part: TypeAlias = Union[Resource, "Spec", list["Part"], tuple["Part", ...]]
"""A resource, a spec, or several of them, nested as deep as is practical."""


class Spec:
    """What a host must look like. Immutable; specs nest.

    Attributes:
        resources: all of them, each once, each after what it needs and otherwise as given.
        before: for each resource by name, the names of those that come directly before it.
    """

    resources: tuple[Resource, ...]
    before: Mapping[str, frozenset[str]]

    def __init__(self, *parts: Part) -> None:
        """Make a spec of resources, specs and groups of them. An equal resource counts once.

        Raises:
            SpecError: two different resources are about the same thing; one that is needed is not
                there, or is to be removed; some need each other in a circle; or one should react to
                a change and cannot.
        """
        # Crates that are used together often ask for the same package or folder.
        found: list[Resource] = []
        for each in _flat(parts):
            if each not in found:
                found.append(each)
        for each in found:
            if each.on_change_of and not each.absent and not each.reactions():
                raise SpecError(reason=f"{each.name}: nothing is done there when something changes")
        vertices = [each.vertex() for each in found]
        by_name = {each.name: each for each in found}
        self.before = dependencies(vertices)
        self.resources = tuple(by_name[vertex.name] for vertex in in_order(vertices))

    def asks(self) -> tuple[Ask[object], ...]:
        """Return all that has to be known of a host to plan."""
        return tuple(ask for each in self.resources for ask in each.asks())


def _flat(parts: Iterable[Part]) -> Iterator[Resource]:
    for part in parts:
        match part:
            case Resource():
                yield part
            case Spec():
                yield from part.resources
            case list() | tuple():
                yield from _flat(part)
            case _:
                raise SpecError(reason=f"{type(part).__name__} is no resource")
