"""A module of the kernel: loaded now and at boot, with its options."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from chalicelib.hostspec.facts import Ask, Fact, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.hostspec.resources.file import File
from chalicelib.shell import (
    Node,
    all_of,
    command,
    env,
    equal,
    is_directory,
    join,
    output,
    q,
    script,
    unless,
    when,
)

__all__ = ["KernelModule", "ModuleState"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_OPTION = re.compile(r"[A-Za-z0-9_.-]+")
_VALUE = re.compile(r"[A-Za-z0-9_.,:/+@-]*")
_BUILTIN = """
{
    count = split($0, parts, "/")
    name = parts[count]
    sub(/[.]ko.*$/, "", name)
    gsub(/-/, "_", name)
    if (index(ENVIRON["BERTH_NAMES"], " " name " ")) print name, "builtin"
}
"""
_USERS = '$1 == ENVIRON["BERTH_NAME"] { print $3; exit }'


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleState:
    """What the kernel says of a module.

    Attributes:
        loaded: it is in the kernel, built in or loaded.
        removable: it is loaded, and nothing uses it.
    """

    loaded: bool = False
    removable: bool = False


def _gather(modules: tuple[str, ...]) -> Node:
    builtin = join("/lib/modules/", output("uname -r"), "/modules.builtin")
    return script(
        command("awk", '{ print $1, "users", $3 }', "/proc/modules"),
        env(command("awk", _BUILTIN, builtin), BERTH_NAMES=f" {' '.join(modules)} "),
    )


def _read(said: bytes, modules: tuple[str, ...]) -> Mapping[str, ModuleState]:
    found = dict.fromkeys(modules, ModuleState())
    for line in said.decode(errors="replace").splitlines():
        match line.split():
            case [name, "users", users] if name in found:
                found[name] = ModuleState(loaded=True, removable=users == "0")
            case [name, "builtin"] if name in found:
                found[name] = ModuleState(loaded=True)
    return found


_MODULES = Fact(name="modules", gather=_gather, read=_read)
"""What the kernel says of a module, by its name with `_`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelModule(Resource):
    """A module that is loaded now, and at each boot by /etc/modules-load.d.

    What is built into the kernel is loaded. `absent` removes its files, and unloads it if nothing
    uses it.

    Attributes:
        module: its name.
        options: its parameters, in /etc/modprobe.d. They hold from when it is next loaded: a module
            that is in use is not reloaded for them.
    """

    kind: ClassVar[str] = "kernel module"

    module: str
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check(self, _NAME.fullmatch(self.module), f"module: {self.module!r} is no name")
        for name, value in self.options.items():
            good = _OPTION.fullmatch(name) and _VALUE.fullmatch(value)
            check(self, good, f"options: {name}={value!r} is no option")

    @property
    def subject(self) -> str:
        """Its name; the kernel takes `-` for `_`."""
        return self.module.replace("-", "_")

    @property
    def provides(self) -> tuple[str, ...]:
        """Its files."""
        return (*self._boot.provides, *self._options.provides)

    @property
    def wants(self) -> tuple[str, ...]:
        """What is above its files."""
        return (*self._boot.wants, *self._options.wants)

    def asks(self) -> tuple[Ask[object], ...]:
        """What is in its files, and whether it is loaded."""
        return (*self._boot.asks(), *self._options.asks(), _MODULES(self.subject))

    def wanted(self) -> Fields:
        """That it is loaded, at boot too, and its options."""
        shown = {"loaded": "yes", **_named("at boot", self._boot.wanted())}
        if not self._options.absent:
            shown |= _named("options", self._options.wanted())
        else:
            shown["options"] = "none"
        return shown

    def found(self, facts: Facts) -> Fields | None:
        """The same as it is; where it is to be absent, what of it can be taken away."""
        there = facts[_MODULES(self.subject)]
        boot, options = self._boot.found(facts), self._options.found(facts)
        files = {**_named("at boot", boot or {}), **_named("options", options or {})}
        if self.absent:
            unloadable = {"loaded": "yes"} if there.removable else {}
            return {**unloadable, **files} or None
        if boot is None and options is None:
            return None
        loaded = {"loaded": "yes" if there.loaded else "no"}
        none = {} if options else {"options": "none"}
        return {**loaded, **files, **none}

    def actions(self) -> tuple[Node, ...]:
        """Write its files and load it; or remove these and unload it."""
        files = (*self._options.actions(), *self._boot.actions())
        there = is_directory(f"/sys/module/{self.subject}")
        if self.absent:
            unload = q("modprobe -r {name}", name=self.subject)
            users = output(env(command("awk", _USERS, "/proc/modules"), BERTH_NAME=self.subject))
            return (*files, when(all_of(there, equal(users, "0")), unload))
        # A system that has loaded no module so far may lack them.
        folders = q("mkdir -p /etc/modprobe.d /etc/modules-load.d")
        return (folders, *files, unless(there, q("modprobe {name}", name=self.subject)))

    @property
    def _boot(self) -> File:
        path = f"/etc/modules-load.d/berth-{self.subject}.conf"
        return File(path=path, content=f"{self.subject}\n", absent=self.absent)

    @property
    def _options(self) -> File:
        words = " ".join(f"{name}={value}" for name, value in self.options.items())
        return File(
            # The last file in order has the last word, and systemd's own has some.
            path=f"/etc/modprobe.d/zz-berth-{self.subject}.conf",
            content=f"options {self.subject} {words}\n",
            absent=self.absent or not self.options,
        )


def _named(what: str, fields: Fields) -> Fields:
    return {f"{what} {name}": value for name, value in fields.items()}
