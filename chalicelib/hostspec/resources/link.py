"""A symbolic link."""

from dataclasses import dataclass
from typing import ClassVar

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.hostspec.resources.path_facts import PATHS, TARGETS, check_path
from chalicelib.shell import (
    Node,
    all_of,
    duplicate,
    exists,
    exit_,
    is_symlink,
    not_,
    println,
    q,
    redirect,
    when,
)

__all__ = ["Link"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link(Resource):
    """A symbolic link. A file or a directory in its place is an error, and stays.

    Attributes:
        path: absolute.
        target: where it leads, as written into it; need not be there.
    """

    kind: ClassVar[str] = "link"

    path: str
    target: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_path(self, self.path)
        plain = self.target.isprintable() and (self.target or self.absent)
        check(self, plain, f"target: {self.target!r} is no plain path")

    @property
    def subject(self) -> str:
        """The path."""
        return self.path

    @property
    def provides(self) -> tuple[str, ...]:
        """What is at the path."""
        return (names.path(self.path),)

    @property
    def wants(self) -> tuple[str, ...]:
        """The folders above, and what it leads to."""
        return (*names.under(self.path), names.path(self.target))

    def asks(self) -> tuple[Ask[object], ...]:
        """What is there, and where it leads."""
        return (PATHS(self.path), TARGETS(self.path))

    def wanted(self) -> Fields:
        """Where it leads."""
        return {"kind": "link", "target": self.target}

    def found(self, facts: Facts) -> Fields | None:
        """The same of what is there."""
        there = facts[PATHS(self.path)]
        if there is None or (self.absent and there.kind != "link"):
            return None
        return {"kind": there.kind, "target": facts[TARGETS(self.path)]}

    def actions(self) -> tuple[Node, ...]:
        """Make it in one step, in the place of another link; or remove a link."""
        if self.absent:
            return (when(is_symlink(self.path), q("rm -f {path}", path=self.path)),)
        taken = all_of(exists(self.path), not_(is_symlink(self.path)))
        refused = redirect(println(f"{self.path} is there and is no link"), duplicate(1, 2))
        part = f"{self.path}.berth"
        return (
            when(taken, refused, exit_(1)),
            q("ln -sfn {target} {part}", target=self.target, part=part),
            q("mv -fT {part} {path}", part=part, path=self.path),
        )
