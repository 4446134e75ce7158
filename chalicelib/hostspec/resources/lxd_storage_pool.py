"""A storage pool of an LXD."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from chalicelib.hostspec.resources.lxd_object import LxdObject

__all__ = ["LxdStoragePool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LxdStoragePool(LxdObject):
    """A storage pool. It is removed only when nothing is in it: LXD refuses otherwise.

    Attributes:
        driver: `btrfs` or `zfs`: both copy a container without copying its files. `dir` copies all
            of them, and is for tests.
        source: a device, or a directory for `dir`. Default: a file of LXD's own (`config["size"]`).
    """

    kind: ClassVar[str] = "lxd storage pool"
    collection: ClassVar[str] = "storage-pools"

    driver: Literal["btrfs", "zfs", "dir"] = "btrfs"
    source: str = ""

    def fixed(self) -> Mapping[str, Any]:
        """Its driver: another needs another pool."""
        return {"driver": self.driver}

    def creation(self) -> Mapping[str, Any]:
        """The source too, which LXD names as it likes afterwards."""
        config = {**self.config, **({"source": self.source} if self.source else {})}
        return {**self.fixed(), "description": self.description, "config": config}
