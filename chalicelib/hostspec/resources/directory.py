"""A directory, with its mode and owner; what is in it is its own affair, unless it is removed."""

from dataclasses import dataclass
from typing import ClassVar

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource, check, named
from chalicelib.hostspec.resources.path_facts import PATHS, check_path
from chalicelib.shell import (
    Node,
    command,
    duplicate,
    exit_,
    is_directory,
    is_symlink,
    not_,
    println,
    q,
    redirect,
    when,
)

__all__ = ["Directory"]

_KEPT = {"/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/proc", "/root", "/run", "/sbin"}
_KEPT |= {"/sys", "/tmp", "/usr", "/var"}  # noqa: S108 - not used as a temporary folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory(Resource):
    """A directory.

    Attributes:
        path: absolute. Folders above it must be there, or be resources too.
        mode: permission bits. Default: 0755.
        owner: user. Default: root.
        group: group. Default: root.

    `absent` removes it only when it is empty, so that nobody's files are lost; `with_content` as
    well removes all that is in it.
    """

    kind: ClassVar[str] = "directory"

    path: str
    mode: int = 0o755
    owner: str = "root"
    group: str = "root"
    with_content: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_path(self, self.path)
        named(self, self.owner, "owner")
        named(self, self.group, "group")
        check(self, not (self.absent and self.path in _KEPT), "the system needs it")

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
        """The folders above, and whose it is."""
        return (*names.under(self.path), names.user(self.owner), names.group(self.group))

    def asks(self) -> tuple[Ask[object], ...]:
        """What is there."""
        return (PATHS(self.path),)

    def wanted(self) -> Fields:
        """Kind, mode and owner."""
        return {
            "kind": "directory",
            "mode": f"{self.mode:04o}",
            "owner": self.owner,
            "group": self.group,
        }

    def found(self, facts: Facts) -> Fields | None:
        """The same of what is there."""
        there = facts[PATHS(self.path)]
        if there is None or (self.absent and there.kind != "directory"):
            return None
        return {
            "kind": there.kind,
            "mode": there.mode,
            "owner": there.owner,
            "group": there.group,
        }

    def actions(self) -> tuple[Node, ...]:
        """Make it; what is there and no directory is an error. Or remove it."""
        if self.absent:
            words = ["rm", "-rf"] if self.with_content else ["rmdir"]
            return (when(is_directory(self.path), command(*words, "--", self.path)),)
        refused = redirect(println(f"{self.path} is a link"), duplicate(1, 2))
        return (
            when(is_symlink(self.path), refused, exit_(1)),
            when(not_(is_directory(self.path)), q("mkdir {path}", path=self.path)),
            q("chown {owner} {path}", owner=f"{self.owner}:{self.group}", path=self.path),
            # With four digits or fewer GNU's chmod leaves a folder's setuid and setgid bits.
            q("chmod {mode} {path}", mode=f"{self.mode:05o}", path=self.path),
        )
