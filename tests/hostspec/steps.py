"""A resource for tests: a file whose making can be made to fail, wait or say something."""

from dataclasses import dataclass
from typing import ClassVar

from chalicelib.hostspec import Resource
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields
from chalicelib.hostspec.resources.path_facts import PATHS
from chalicelib.shell import Node, q

__all__ = ["Step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Resource):
    """Is there once its commands have run.

    Attributes:
        path: a file that its last command makes.
        first: commands that it runs before.
        reaction: what it runs when something has changed.
    """

    kind: ClassVar[str] = "step"

    path: str
    first: tuple[Node, ...] = ()
    reaction: tuple[Node, ...] = ()

    @property
    def subject(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def asks(self) -> tuple[Ask[object], ...]:
        """Whether it is there."""
        return (PATHS(self.path),)

    def wanted(self) -> Fields:
        """That it is there."""
        return {"made": "yes"}

    def found(self, facts: Facts) -> Fields | None:
        """Whether it is there."""
        return {"made": "yes"} if facts[PATHS(self.path)] else None

    def actions(self) -> tuple[Node, ...]:
        """Run the commands, then make the file; or remove it."""
        last = "rm -f {path}" if self.absent else "touch {path}"
        return (*self.first, q(last, path=self.path))

    def reactions(self) -> tuple[Node, ...]:
        """Run the reaction."""
        return self.reaction
