"""What all objects of an LXD have in common: made, changed and removed by its REST API.

Only what a resource names is compared and changed; keys that LXD or somebody else has set stay.
"""

import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import urlencode

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource, check, named
from chalicelib.hostspec.resources.lxd_facts import LXD
from chalicelib.shell import (
    Item,
    Node,
    command,
    duplicate,
    exit_,
    group,
    if_,
    pipe,
    println,
    q_or,
    redirect,
    when,
    write_to,
)

__all__ = ["LxdObject", "flat", "lxd_has", "lxd_query"]


def lxd_query(method: str, path: str, body: Mapping[str, Any] | None = None) -> Node:
    """Return one request to the API, which waits for what it starts."""
    data = [] if body is None else ["-d", json.dumps(body, sort_keys=True)]
    return command("lxc", "query", "--wait", "-X", method, *data, path)


def lxd_has(path: str) -> Item:
    """Return the condition that the API has something at a path."""
    return redirect(command("lxc", "query", path), write_to("/dev/null"), write_to("/dev/null", 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class LxdObject(Resource):
    """An object of an LXD by name.

    Attributes:
        id: its name in LXD.
        description: for people.
        config: keys and values, as LXD documents them; others stay as they are.
    """

    collection: ClassVar[str]
    """Path of the API below `/1.0/`."""

    id: str
    description: str = ""
    config: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        named(self, self.id, "id")
        for key, value in self.config.items():
            check(self, isinstance(value, str), f"config: {key} is a text in LXD, not {value!r}")

    @property
    def subject(self) -> str:
        """Its name."""
        return self.id

    @property
    def provides(self) -> tuple[str, ...]:
        """The object."""
        return (names.lxd(self.collection, self.subject),)

    @property
    def wants(self) -> tuple[str, ...]:
        """LXD itself, and what its properties name."""
        return (names.lxd("server", ""), *self.uses())

    def uses(self) -> tuple[str, ...]:
        """Return what of LXD has to be there before."""
        return ()

    def query(self) -> Mapping[str, str]:
        """Return the arguments of its requests, such as the project."""
        return {}

    @abstractmethod
    def fixed(self) -> Mapping[str, Any]:
        """Return what can only be said when it is made."""

    def changeable(self) -> Mapping[str, Any]:
        """Return what can be changed later."""
        return {"description": self.description, "config": dict(self.config)}

    def creation(self) -> Mapping[str, Any]:
        """Return all that is said when it is made."""
        return {**self.fixed(), **self.changeable()}

    def _path(self, *parts: str) -> str:
        query = urlencode(self.query())
        return "/".join(["/1.0", self.collection, *parts]) + (f"?{query}" if query else "")

    def asks(self) -> tuple[Ask[object], ...]:
        """The object."""
        return (LXD(self._path(self.id)),)

    def wanted(self) -> Fields:
        """Each key by its path."""
        return flat({**self.fixed(), **self.changeable()})

    def found(self, facts: Facts) -> Fields | None:
        """The same keys of what is there."""
        there = facts[LXD(self._path(self.id))]
        if there is None:
            return None
        has = flat(there)
        return {key: has.get(key, "") for key in self.wanted()}

    def actions(self) -> tuple[Node, ...]:
        """Make it, or change what is there; or remove it, which LXD refuses while it is in use."""
        path = self._path(self.id)
        if self.absent:
            return (when(lxd_has(path), lxd_query("DELETE", path)),)
        make = lxd_query("POST", self._path(), {"name": self.id, **self.creation()})
        unlike = [_refuse_unlike(path, key, value) for key, value in self.fixed().items()]
        return (if_(lxd_has(path), [*unlike, self.change(path)], else_=make),)

    def change(self, path: str) -> Node:
        """Return the request that changes what is there."""
        return lxd_query("PATCH", path, self.changeable())


def _refuse_unlike(path: str, key: str, value: object) -> Node:
    """Return the end of the step, with words, for what is there and cannot become what is wanted."""
    has = pipe(command("lxc", "query", path), command("grep", "-qF", f'"{key}": "{value}"'))
    why = redirect(
        println(f"its {key} is not {value}, and LXD cannot change that"), duplicate(1, 2)
    )
    return q_or(has, group(why, exit_(1)))


def flat(tree: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Return the leaves of a document by their paths; lists as JSON.

    >>> flat({"config": {"ipv4.nat": "true"}, "rules": [{"b": 1, "a": 2}]})
    {'config.ipv4.nat': 'true', 'rules': '[{"a": 2, "b": 1}]'}
    """
    leaves: dict[str, str] = {}
    for key, value in tree.items():
        place = f"{before}{key}"
        if isinstance(value, Mapping):
            leaves |= flat(value, f"{place}.")
        else:
            leaves[place] = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return leaves
