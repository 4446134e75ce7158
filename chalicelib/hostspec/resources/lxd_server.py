"""The LXD of a host: that it answers, and how it is set."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource
from chalicelib.hostspec.resources.lxd_facts import LXD
from chalicelib.shell import Node, command

__all__ = ["LxdServer"]

_READY_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class LxdServer(Resource):
    """LXD answers and has these settings. Its package is another resource's business.

    Attributes:
        config: keys and values as in `lxc config show`; others stay as they are. `absent` unsets
            these keys, whatever their values.
    """

    kind: ClassVar[str] = "lxd server"

    config: Mapping[str, str] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """There is one."""
        return "settings"

    @property
    def provides(self) -> tuple[str, ...]:
        """LXD."""
        return (names.lxd("server", ""),)

    @property
    def wants(self) -> tuple[str, ...]:
        """Its package and unit, whichever there is."""
        return (names.package("lxd"), names.unit("lxd.service"), names.unit("lxd.socket"))

    def asks(self) -> tuple[Ask[object], ...]:
        """Its settings."""
        return (LXD("/1.0"),)

    def wanted(self) -> Fields:
        """That it answers, and the settings."""
        return {"api": "1.0", **{f"config.{key}": value for key, value in self.config.items()}}

    def found(self, facts: Facts) -> Fields | None:
        """The same of what is there."""
        there = facts[LXD("/1.0")]
        if there is None:
            return None
        config = there.get("config") or {}
        settings = {f"config.{key}": str(config.get(key, "")) for key in self.config}
        if self.absent:
            return {key: value for key, value in settings.items() if value} or None
        return {"api": str(there.get("api_version", "")), **settings}

    def actions(self) -> tuple[Node, ...]:
        """Wait until it answers, then change the settings."""
        config = dict.fromkeys(self.config, "") if self.absent else dict(self.config)
        body = json.dumps({"config": config}, sort_keys=True)
        return (
            command("lxd", "waitready", f"--timeout={_READY_S}"),
            command("lxc", "query", "-X", "PATCH", "-d", body, "/1.0"),
        )
