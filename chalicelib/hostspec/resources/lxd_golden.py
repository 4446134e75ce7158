"""A golden container: made of an image, started once and stopped, to be copied.

The first start gives all its files the owners of its id range, which takes a second; a copy of it
starts in a fifth of one (DESIGN: create 0.3 s, first start 1.1 s, start of a copy 0.2 s).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import urlencode

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource, check, named
from chalicelib.hostspec.resources.lxd_facts import LXD
from chalicelib.hostspec.resources.lxd_object import lxd_has, lxd_query
from chalicelib.shell import Node, command, equal, output, when

__all__ = ["LxdGolden"]

_READY = "user.berth.ready"
_GOLDEN = "user.berth.golden"


@dataclass(frozen=True, slots=True, kw_only=True)
class LxdGolden(Resource):
    """A stopped container that has been started once, of a certain image.

    One that is of another image, or was left half made, is made anew. A container of that name that
    is not golden is an error, and stays.

    Attributes:
        id: its name.
        image: alias of the image.
        fingerprint: of that image.
        project: of LXD. Default: `default`.
        profiles: default: `default`.
        config: keys and values, as LXD documents them.
    """

    kind: ClassVar[str] = "lxd golden container"

    id: str
    image: str = ""
    fingerprint: str = ""
    project: str = "default"
    profiles: tuple[str, ...] = ("default",)
    config: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        named(self, self.id, "id")
        named(self, self.project, "project")
        check(self, self.absent or (self.image and self.fingerprint), "needs image and fingerprint")

    @property
    def subject(self) -> str:
        """Project and name."""
        return f"{self.project}/{self.id}"

    @property
    def wants(self) -> tuple[str, ...]:
        """LXD, the project, the image and the profiles."""
        return (
            names.lxd("server", ""),
            names.lxd("projects", self.project),
            names.lxd("images", f"{self.project}/{self.image}"),
            *(names.lxd("profiles", f"{self.project}/{profile}") for profile in self.profiles),
        )

    @property
    def _path(self) -> str:
        return f"/1.0/instances/{self.id}?{urlencode({'project': self.project})}"

    def asks(self) -> tuple[Ask[object], ...]:
        """The container."""
        return (LXD(self._path),)

    def wanted(self) -> Fields:
        """Of which image it is, and that it does not run."""
        return {"image": self.fingerprint, "status": "Stopped"}

    def found(self, facts: Facts) -> Fields | None:
        """The same of what is there."""
        there = facts[LXD(self._path)]
        if there is None:
            return None
        config = there.get("config") or {}
        if self.absent and config.get(_GOLDEN) != "true":
            return None
        return {"image": config.get(_READY, ""), "status": there.get("status", "")}

    def actions(self) -> tuple[Node, ...]:
        """Remove what is golden and make it anew: the mark is set last."""
        project = ("--project", self.project)
        settings = {**self.config, _GOLDEN: "true"}
        profiles = [word for profile in self.profiles for word in ("--profile", profile)]
        config = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        is_golden = equal(
            output(command("lxc", "config", "get", self.id, _GOLDEN, *project)), "true"
        )
        remove = when(is_golden, command("lxc", "delete", "--force", self.id, *project))
        if self.absent:
            return (when(lxd_has(self._path), remove),)
        ready = {"config": {_READY: self.fingerprint}}
        return (
            when(lxd_has(self._path), remove),
            command("lxc", "init", self.image, self.id, *profiles, *config, *project),
            command("lxc", "start", self.id, *project),
            command("lxc", "stop", "--force", self.id, *project),
            lxd_query("PATCH", self._path, ready),
        )
