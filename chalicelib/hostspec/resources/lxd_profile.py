"""A profile of an LXD: config and devices that its containers share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from chalicelib.hostspec import names
from chalicelib.hostspec.resource import check
from chalicelib.hostspec.resources.lxd_object import LxdObject

__all__ = ["LxdProfile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LxdProfile(LxdObject):
    """A profile. Devices and keys that are not named stay as they are.

    Attributes:
        project: of LXD. Default: `default`.
        devices: by name, each with keys and values as LXD documents them.

    `default` cannot be removed.
    """

    kind: ClassVar[str] = "lxd profile"
    collection: ClassVar[str] = "profiles"

    project: str = "default"
    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        LxdObject.__post_init__(self)
        check(self, not (self.absent and self.id == "default"), "LXD keeps it")

    @property
    def subject(self) -> str:
        """Project and name."""
        return f"{self.project}/{self.id}"

    def fixed(self) -> Mapping[str, Any]:
        """Nothing."""
        return {}

    def changeable(self) -> Mapping[str, Any]:
        """The devices too."""
        devices = {name: dict(device) for name, device in self.devices.items()}
        return {"description": self.description, "config": dict(self.config), "devices": devices}

    def query(self) -> Mapping[str, str]:
        """The project."""
        return {"project": self.project}

    def uses(self) -> tuple[str, ...]:
        """The project, and the pools and networks of its devices."""
        pools = [device["pool"] for device in self.devices.values() if "pool" in device]
        networks = [device["network"] for device in self.devices.values() if "network" in device]
        return (
            names.lxd("projects", self.project),
            *(names.lxd("storage-pools", pool) for pool in pools),
            *(names.lxd("networks", network) for network in networks),
        )
