"""Packages of the host's system: installed, at a version, held, or removed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from chalicelib.hostspec import names as names_of
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.hostspec.resources import apk, apt, dnf
from chalicelib.hostspec.resources.package_facts import PACKAGES, PackageState
from chalicelib.hostspec.system import SYSTEM
from chalicelib.shell import Node, script_function

__all__ = ["Packages"]

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.+_-]*[A-Za-z0-9+])?(:[a-z0-9]+)?")
"""Not one that ends with a hyphen: `apt-get install name-` removes it."""
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~:_^-]*")

_prepare = script_function(
    "prepare", {"debian": apt.prepare, "redhat": dnf.prepare, "alpine": apk.prepare}
)
_install = script_function(
    "install", {"debian": apt.install, "redhat": dnf.install, "alpine": apk.install}
)
_hold = script_function("hold", {"debian": apt.hold, "redhat": dnf.hold, "alpine": apk.hold})
_unhold = script_function(
    "unhold", {"debian": apt.unhold, "redhat": dnf.unhold, "alpine": apk.unhold}
)
_remove = script_function(
    "remove",
    {
        "debian": lambda names: apt.remove(names, purge=False),
        "redhat": lambda names: dnf.remove(names, purge=False),
        "alpine": lambda names: apk.remove(names, purge=False),
    },
)
_purge = script_function(
    "purge",
    {
        "debian": lambda names: apt.remove(names, purge=True),
        "redhat": lambda names: dnf.remove(names, purge=True),
        "alpine": lambda names: apk.remove(names, purge=True),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages(Resource):
    """Packages, installed by apt, dnf or apk, whichever the host's system has.

    Attributes:
        names: real names, no virtual ones or groups; `name=version` for just that version, newer or
            older than what is there. One without a version is installed in the newest, and stays as
            it is where it is there.
        hold: no upgrade touches them. Default: upgrades do; a hold that somebody set is released.
        purge: with `absent`, remove their settings too, where the system tells these apart (dpkg).
            Default: settings stay.

    What is only recommended is not installed. Settings that were changed on the host are kept.
    Removing takes any version; it is refused where other packages would have to go as well.
    """

    kind: ClassVar[str] = "packages"

    names: tuple[str, ...]
    hold: bool = False
    purge: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check(self, self.names, "none are named")
        for name, version in self._versions.items():
            check(self, _NAME.fullmatch(name), f"names: {name!r} is no name of a package")
            check(self, not version or _VERSION.fullmatch(version), f"names: version {version!r}")
        check(self, len(self._versions) == len(self.names), "one is named twice")
        check(self, not any(each.endswith("=") for each in self.names), "a version is empty")

    @property
    def subject(self) -> str:
        """The names, sorted."""
        return " ".join(sorted(self._versions))

    @property
    def shares(self) -> Mapping[str, str]:
        """Each of the packages, which other resources may list too."""
        gone = "purged" if self.purge else "removed"
        return {
            names_of.package(name): gone if self.absent else how
            for name, how in self.wanted().items()
        }

    def asks(self) -> tuple[Ask[object], ...]:
        """What the host has of each, by each system's program that is there; and its system."""
        return (SYSTEM(), *map(PACKAGES, self._versions))

    def wanted(self) -> dict[str, str]:
        """For each package that it is there, or its version, and whether it is held."""
        return {
            name: (version or "installed") + ", held" * self.hold
            for name, version in self._versions.items()
        }

    def found(self, facts: Facts) -> Fields | None:
        """The same of those that are there."""
        family = facts[SYSTEM()].family
        found = {
            name: self._shown(name, state, family)
            for name in self._versions
            if (state := facts[PACKAGES(name)].get(family)) and self._is_there(state)
        }
        return found or None

    def _is_there(self, state: PackageState) -> bool:
        return state.state != "settings" or (self.absent and self.purge)

    def _shown(self, name: str, each: PackageState, family: str) -> str:
        version = self._versions[name]
        # In apk's world a version is a hold.
        held = self.hold if version and family == "alpine" else each.held
        if each.state != "installed":
            return each.state
        if self.absent:
            return each.version
        shown = each.version if version and not each.is_version(version) else version
        return (shown or "installed") + ", held" * held

    def actions(self) -> tuple[Node, ...]:
        """Finish what was left half done, then install and hold, or remove."""
        every = tuple(sorted(self._versions))
        if self.absent:
            return (_prepare(()), (_purge if self.purge else _remove)(every))
        plain = tuple(sorted(each for each in self.names if "=" not in each))
        pinned = tuple(sorted(each for each in self.names if "=" in each))
        return (
            _prepare((*plain, *pinned)),
            _unhold(every),
            _install(plain, pinned),
            *([_hold(every)] if self.hold else []),
        )

    @property
    def _versions(self) -> dict[str, str]:
        """The wanted version by name; empty where any will do."""
        return {name: version for name, _, version in (each.partition("=") for each in self.names)}
