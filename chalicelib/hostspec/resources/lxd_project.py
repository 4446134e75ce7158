"""A project of an LXD."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from chalicelib.hostspec.resources.lxd_object import LxdObject

__all__ = ["LxdProject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LxdProject(LxdObject):
    """A project: instances of its own, and what else its `features.` say."""

    kind: ClassVar[str] = "lxd project"
    collection: ClassVar[str] = "projects"

    def fixed(self) -> Mapping[str, Any]:
        """Nothing."""
        return {}
