"""Settings of filesystems that are there: of ext4 by tune2fs(8), of btrfs by its properties.

A label is the filesystem's own property, see `Filesystem`; xfs has no other that can be set later.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Fact, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.hostspec.resources.filesystem_facts import source_of
from chalicelib.hostspec.resources.path_facts import check_path
from chalicelib.shell import (
    Node,
    command,
    for_each,
    is_directory,
    pipe,
    println,
    q,
    ref,
    script,
    when,
)

__all__ = ["BtrfsCompression", "Ext4Settings"]

_NO_LIMIT = -1
_MOST_PERCENT = 50
_MOST_MOUNTS = 65535
_NEAR_PERCENT = 0.05
_DAY = timedelta(days=1)
_ERRORS = {"Continue": "continue", "Remount read-only": "remount-ro", "Panic": "panic"}
_TUNED = ("Block count", "Reserved block count", "Maximum mount count", "Check interval")


def _gather_ext4(devices: tuple[str, ...]) -> Node:
    listed = pipe(q("tune2fs -l {source}", source=ref("source")), "grep -E '^[A-Z][a-z ]+: +[^ ]'")
    device = ref("device")
    return for_each("device", devices, println("device", device), source_of(device), listed)


def _read_ext4(said: bytes, devices: tuple[str, ...]) -> Mapping[str, Mapping[str, str]]:
    found: dict[str, dict[str, str]] = {}
    lines: dict[str, str] = {}
    for line in said.decode(errors="replace").splitlines():
        word, _, device = line.partition(" ")
        if word == "device" and device in devices:
            lines = found.setdefault(device, {})
        elif ":" in line:
            # The names, which anybody may have chosen, come first: what is after them counts.
            name, _, value = line.partition(":")
            lines[name] = value.strip()
    return {device: found.get(device, {}) for device in devices}


_EXT4 = Fact(name="ext4-settings", gather=_gather_ext4, read=_read_ext4)
"""What tune2fs lists of a device, by its names; nothing where there is no ext4."""


_OPTIONS = {
    "reserved_percent": "-m",
    "max_mount_count": "-c",
    "check_interval_days": "-i",
    "errors": "-e",
}
_DEFAULTS: Mapping[str, object] = {
    "reserved_percent": 5,
    "max_mount_count": -1,
    "check_interval_days": 0,
    "errors": "continue",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ext4Settings(Resource):
    """Settings of an ext4 that is there. Each that is not given is left as it is.

    Attributes:
        device: absolute path of the device, or of a file in its place.
        reserved_percent: of the blocks that only root may fill, 0 to 50.
        max_mount_count: after so many mounts it is checked at boot; -1: never for that reason.
        check_interval_days: after so many days it is checked at boot; 0: never for that reason.
        errors: what the kernel does when it finds an error.

    `absent` brings those that are given back to what mke2fs(8) sets, whatever their values here.
    """

    kind: ClassVar[str] = "ext4-settings"

    device: str
    reserved_percent: float | None = None
    max_mount_count: int | None = None
    check_interval_days: int | None = None
    errors: Literal["continue", "remount-ro", "panic"] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_path(self, self.device, "device")
        percent = self.reserved_percent
        check(self, percent is None or 0 <= percent <= _MOST_PERCENT, "reserved_percent: 0 to 50")
        count = self.max_mount_count
        fits = count is None or count == _NO_LIMIT or 0 < count <= _MOST_MOUNTS
        check(self, fits, "max_mount_count: 1 to 65535, or -1")
        days = self.check_interval_days
        check(self, days is None or days >= 0, "check_interval_days: 0 or more")
        check(self, self.errors in {None, *_ERRORS.values()}, f"errors: {self.errors!r}")
        check(self, self._given, "nothing is set")

    @property
    def subject(self) -> str:
        """The device."""
        return self.device

    @property
    def wants(self) -> tuple[str, ...]:
        """The filesystem, and the program."""
        return (names.filesystem(self.device), names.package("e2fsprogs"))

    def asks(self) -> tuple[Ask[object], ...]:
        """What tune2fs lists."""
        return (_EXT4(self.device),)

    def wanted(self) -> Fields:
        """The settings that are given."""
        return {name: str(value) for name, value in self._given.items()}

    def found(self, facts: Facts) -> Fields | None:
        """The same as they are."""
        there = facts[_EXT4(self.device)]
        if not there:
            return None
        numbers = {name: int(_leading(there.get(name, ""))) for name in _TUNED}
        count = numbers["Maximum mount count"]
        fields = {
            "reserved_percent": self._percent(numbers),
            # Both 0 and -1 are "never"; tune2fs takes both.
            "max_mount_count": str(count or _NO_LIMIT),
            "check_interval_days": f"{numbers['Check interval'] / _DAY.total_seconds():g}",
            "errors": _ERRORS.get(there.get("Errors behavior", ""), ""),
        }
        if self.absent:
            others = {name for name in self._given if fields[name] != str(_DEFAULTS[name])}
            return {name: fields[name] for name in self._given if name in others} or None
        return {name: fields[name] for name in self._given}

    def actions(self) -> tuple[Node, ...]:
        """Set all that is given, at once."""
        aimed = {
            name: _DEFAULTS[name] if self.absent else self._given[name] for name in self._given
        }
        options = [f"{_OPTIONS[name]}{value}" for name, value in aimed.items()]
        if "check_interval_days" in aimed:
            options[list(aimed).index("check_interval_days")] += "d"
        return (script(source_of(self.device), command("tune2fs", *options, ref("source"))),)

    @property
    def _given(self) -> Mapping[str, object]:
        settings = {
            "reserved_percent": self.reserved_percent,
            "max_mount_count": self.max_mount_count,
            "check_interval_days": self.check_interval_days,
            "errors": self.errors,
        }
        return {name: value for name, value in settings.items() if value is not None}

    def _percent(self, numbers: Mapping[str, int]) -> str:
        """Return the share that is reserved; as it is wanted if only blocks are no smaller."""
        share = 100 * numbers["Reserved block count"] / max(1, numbers["Block count"])
        wanted = self.reserved_percent if not self.absent else _DEFAULTS["reserved_percent"]
        near = isinstance(wanted, int | float) and abs(share - wanted) <= _NEAR_PERCENT
        return str(wanted) if near else f"{share:.2f}"


def _leading(text: str) -> str:
    found = re.match(r"-?[0-9]+", text)
    return found[0] if found else "0"


def _gather_compression(paths: tuple[str, ...]) -> Node:
    path = ref("path")
    shown = q("btrfs property get -- {path} compression", path=path)
    return for_each("path", paths, println("path", path), when(is_directory(path), shown))


def _read_compression(said: bytes, paths: tuple[str, ...]) -> Mapping[str, str]:
    found = dict.fromkeys(paths, "")
    path = ""
    for line in said.decode(errors="replace").splitlines():
        word, _, rest = line.partition(" ")
        name, equals, value = line.partition("=")
        if word == "path" and rest in found:
            path = rest
        elif equals and name == "compression" and path:
            found[path] = value
    return found


_COMPRESSION = Fact(name="btrfs-compression", gather=_gather_compression, read=_read_compression)
"""How what is written below a path is compressed; empty: as the mount says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BtrfsCompression(Resource):
    """How btrfs compresses what is written to a directory from now on, and to new ones below.

    Attributes:
        path: of a directory or a subvolume, which is mounted.
        method: `zstd`, `lzo` or `zlib`; `none`: not, whatever the mount says. Default: zstd.

    `absent` leaves it to the options of the mount.
    """

    kind: ClassVar[str] = "btrfs-compression"

    path: str
    method: Literal["zstd", "lzo", "zlib", "none"] = "zstd"

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_path(self, self.path)
        methods = {"zstd", "lzo", "zlib", "none"}
        check(self, self.method in methods, f"method: {self.method!r}")

    @property
    def subject(self) -> str:
        """The path."""
        return self.path

    @property
    def wants(self) -> tuple[str, ...]:
        """The directory, what is mounted there and above, and the program."""
        here = (names.path(self.path), names.mount(self.path))
        return (*here, *names.under(self.path), names.package("btrfs-progs"))

    def asks(self) -> tuple[Ask[object], ...]:
        """The property."""
        return (_COMPRESSION(self.path),)

    def wanted(self) -> Fields:
        """The method."""
        return {"method": self.method}

    def found(self, facts: Facts) -> Fields | None:
        """The same as it is."""
        method = facts[_COMPRESSION(self.path)]
        return {"method": method} if method else None

    def actions(self) -> tuple[Node, ...]:
        """Set the property, or take it away."""
        method = "" if self.absent else self.method
        setting = q(
            "btrfs property set -- {path} compression {method}", path=self.path, method=method
        )
        return (when(is_directory(self.path), setting) if self.absent else setting,)
