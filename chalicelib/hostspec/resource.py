"""What every resource of a host says of itself, and what follows from that for all of them.

A resource is a frozen value in one file of `resources`. It names what it wants the host to be
(`wanted`), reads from the host's answers what is there (`found`), and gives the commands that bring
the host there from wherever it is (`actions`). The commands do not depend on what was found: so
they are right for a host that has changed since, that nobody has looked at, or that an apply left
half done. What is to be done, and how it is shown, is computed here from `wanted` and `found`.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, TypeAlias

from chalicelib.errors import SpecError
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.graph import Vertex
from chalicelib.shell import Node, Secret

__all__ = ["Difference", "Fields", "Operation", "Resource", "check", "named"]

Fields: TypeAlias = Mapping[str, str | Secret]
"""A state of a resource as people read it: names of properties and their values."""


class Operation(StrEnum):
    """What is to be done with a resource."""

    CREATE = "create"
    CHANGE = "change"
    REMOVE = "remove"
    REACT = "react"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    """One property that is not as it is wanted. None is "not there"."""

    field: str
    before: str | Secret | None
    after: str | Secret | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource(ABC):
    """One thing that a host must have, or must not have.

    Attributes:
        needs: names of other resources (`"packages nginx"`) that must come before this one, and
            without which it is not tried. What can be told from the resource itself, such as a
            file's folder and owner, need not be named.
        absent: the host must not have it. Default: it must.
        on_change_of: names of resources; when one of them changes, this one reacts, once, after all
            of them: a service restarts, a command runs. They are needs too. The reaction is owed
            until it has succeeded, also when an apply is cut short in between.
    """

    kind: ClassVar[str]

    needs: tuple[str, ...] = ()
    absent: bool = False
    on_change_of: tuple[str, ...] = ()

    @property
    @abstractmethod
    def subject(self) -> str:
        """What of its kind it is: a path, a user's name."""

    @property
    def name(self) -> str:
        """Kind and subject: how others need it, and how people are told of it."""
        return f"{self.kind} {self.subject}"

    @property
    def provides(self) -> tuple[str, ...]:
        """What others may want of it; see `names`."""
        return ()

    @property
    def shares(self) -> Mapping[str, str]:
        """What others may have as well, and how it has to be, about which all must agree."""
        return {}

    @property
    def wants(self) -> tuple[str, ...]:
        """What has to be there before it, if another resource of the spec provides it."""
        return ()

    @abstractmethod
    def asks(self) -> tuple[Ask[object], ...]:
        """Return what `found` reads."""

    @abstractmethod
    def wanted(self) -> Fields:
        """Return the properties that are cared for."""

    @abstractmethod
    def found(self, facts: Facts) -> Fields | None:
        """Return the same properties as they are, or None where the host has no such thing."""

    @abstractmethod
    def actions(self) -> tuple[Node, ...]:
        """Return the commands that make it as wanted, or remove it, from whatever is there.

        They stop at the first that fails, and are safe to repeat.
        """

    def reactions(self) -> tuple[Node, ...]:
        """Return the commands that are run when one of `on_change_of` has changed."""
        return ()

    def differences(self, facts: Facts) -> tuple[Difference, ...]:
        """Return what is not as it is wanted; nothing when all is well."""
        found = self.found(facts)
        if self.absent:
            there = found or {}
            return tuple(Difference(each, value, None) for each, value in there.items())
        return tuple(
            Difference(each, (found or {}).get(each), value)
            for each, value in self.wanted().items()
            if (found or {}).get(each) != value or found is None
        )

    def operation(self, facts: Facts) -> Operation:
        """Return what is to be done."""
        if not self.differences(facts):
            return Operation.NOTHING
        if self.absent:
            return Operation.REMOVE
        return Operation.CREATE if self.found(facts) is None else Operation.CHANGE

    def vertex(self) -> Vertex:
        """Return the resource as the graph sees it."""
        return Vertex(
            name=self.name,
            needs=(*self.needs, *self.on_change_of),
            provides=self.provides,
            shares=self.shares,
            wants=self.wants,
            absent=self.absent,
        )


def check(resource: Resource, holds: object, reason: str) -> None:
    """Refuse a resource that cannot be.

    Raises:
        SpecError: names the resource and the reason.
    """
    if not holds:
        raise SpecError(reason=f"{resource.name}: {reason}")


_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+:-]*")


def named(resource: Resource, value: str, field: str) -> None:
    """Refuse a word that could be read as an option, a path or several words.

    Raises:
        SpecError: names the resource, the field and the word.
    """
    check(resource, _NAME.fullmatch(value), f"{field}: {value!r} is no name")
