"""A network of an LXD."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from chalicelib.hostspec import names
from chalicelib.hostspec.resources.lxd_object import LxdObject

__all__ = ["LxdNetwork"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LxdNetwork(LxdObject):
    """A network, such as a bridge with addresses, names and NAT.

    Attributes:
        type: as LXD documents it. Default: `bridge`.
    """

    kind: ClassVar[str] = "lxd network"
    collection: ClassVar[str] = "networks"

    type: str = "bridge"

    def fixed(self) -> Mapping[str, Any]:
        """Its type: another needs another network."""
        return {"type": self.type}

    def uses(self) -> tuple[str, ...]:
        """The ACLs that its config names."""
        acls = self.config.get("security.acls", "").split(",")
        return tuple(names.lxd("network-acls", acl.strip()) for acl in acls if acl.strip())
