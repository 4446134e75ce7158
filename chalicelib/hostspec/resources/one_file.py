"""What is on a host as one file of its own, and is nothing else."""

from abc import abstractmethod
from dataclasses import dataclass

from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource
from chalicelib.hostspec.resources.file import File
from chalicelib.shell import Node

__all__ = ["OneFile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneFile(Resource):
    """A resource that is its file: made, compared and removed with it."""

    @property
    @abstractmethod
    def file(self) -> File:
        """The file; `absent` if the resource is."""

    def asks(self) -> tuple[Ask[object], ...]:
        """What is in its file."""
        return self.file.asks()

    def wanted(self) -> Fields:
        """Its file."""
        return self.file.wanted()

    def found(self, facts: Facts) -> Fields | None:
        """Its file as it is."""
        return self.file.found(facts)

    def actions(self) -> tuple[Node, ...]:
        """Write or remove its file: who reads it looks by itself."""
        return self.file.actions()
