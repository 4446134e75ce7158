"""An access list of an LXD's networks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from chalicelib.hostspec.facts import Facts
from chalicelib.hostspec.resource import Fields
from chalicelib.hostspec.resources.lxd_facts import LXD
from chalicelib.hostspec.resources.lxd_object import LxdObject, flat, lxd_query
from chalicelib.shell import Node

__all__ = ["LxdNetworkAcl"]

Rule = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LxdNetworkAcl(LxdObject):
    """An access list; its rules are exactly those that are named, in whatever order.

    Attributes:
        ingress: rules for what comes in: `action`, `source`, `destination`, `protocol`,
            `destination_port`, `state` (default `enabled`), as LXD documents them.
        egress: the same for what goes out.
    """

    kind: ClassVar[str] = "lxd network acl"
    collection: ClassVar[str] = "network-acls"

    ingress: Sequence[Rule] = ()
    egress: Sequence[Rule] = ()

    def fixed(self) -> Mapping[str, Any]:
        """Nothing."""
        return {}

    def changeable(self) -> Mapping[str, Any]:
        """The rules too."""
        rules = {"ingress": _normal(self.ingress), "egress": _normal(self.egress)}
        return {"description": self.description, "config": dict(self.config), **rules}

    def found(self, facts: Facts) -> Fields | None:
        """What is there, its rules in the same order."""
        there = facts[LXD(self._path(self.id))]
        if there is None:
            return None
        rules = {way: _normal(there.get(way) or ()) for way in ("ingress", "egress")}
        has = flat({**there, **rules})
        return {key: has.get(key, "") for key in self.wanted()}

    def change(self, path: str) -> Node:
        """Return the request that replaces it: a rule that is not named must go."""
        return lxd_query("PUT", path, self.changeable())


def _normal(rules: Sequence[Rule]) -> list[dict[str, str]]:
    """Return the rules as LXD tells them, sorted: it keeps no order and leaves out what is empty."""
    found = [
        {"state": "enabled", **{key: value for key, value in rule.items() if value}}
        for rule in rules
    ]
    return sorted(found, key=lambda rule: sorted(rule.items()))
