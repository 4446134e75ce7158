"""What is mounted where, what sources of mounts are, and lines of fstab(5)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.hostspec.facts import Fact
from chalicelib.hostspec.resource import Resource, check
from chalicelib.shell import (
    Node,
    any_text,
    assign,
    branch,
    case,
    for_each,
    is_directory,
    is_file,
    join,
    otherwise,
    output,
    pipe,
    println,
    q,
    ref,
    script,
    when,
)

__all__ = [
    "FSTAB",
    "MOUNTS",
    "SOURCES",
    "MountState",
    "SourceState",
    "check_words",
    "escaped",
    "holds",
    "reload_units",
    "resolve",
]

FSTAB = "/etc/fstab"
_OCTAL = re.compile(r"\\([0-7]{3})")
_FIELDS_BEFORE_DASH = 6
_FIELDS_AFTER_DASH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class MountState:
    """What is mounted at a path; the last, if several are.

    Attributes:
        source: as the kernel says it, such as `/dev/nvme1n1` or `tmpfs`.
        type: of the filesystem.
        options: of the mount, such as `rw` and `noatime`.
        super_options: of the filesystem, such as `compress=zstd:3`.
    """

    source: str
    type: str
    options: frozenset[str]
    super_options: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """What a source of a mount, as fstab says it, is on the host.

    Attributes:
        devices: its path without links; of a file the loop devices that it has.
        inode: of what is at that path, with its device; empty where there is nothing.
    """

    devices: tuple[str, ...]
    inode: str


def escaped(word: str) -> str:
    r"""Return a field of fstab(5) for a word.

    >>> print(escaped("/srv/a b"))
    /srv/a\040b
    """
    return re.sub(r"[\s\\]", lambda found: f"\\{ord(found[0]):03o}", word)


def check_words(resource: Resource, words: tuple[str, ...], field: str) -> None:
    """Refuse options that would be another field, another option or nothing.

    Raises:
        SpecError: names the resource, the field and the word.
    """
    for each in words:
        plain = each.isascii() and each.isprintable() and not set(each) & set(' ,\\"')
        check(resource, plain and each[:1] not in {"", "-", "#"}, f"{field}: {each!r} is no option")


def reload_units(fstab: str) -> tuple[Node, ...]:
    """Return the commands by which systemd, if it runs, learns of a change of fstab.

    It would otherwise unmount what it thinks to be of a device that is gone.
    """
    if fstab != FSTAB:
        return ()
    return (when(is_directory("/run/systemd/system"), "systemctl daemon-reload"),)


def resolve(source: object) -> Node:
    """Return the script that sets `device` to the devices of a source, or to nothing."""
    tags = [join(tag, "=", any_text()) for tag in ("UUID", "LABEL", "PARTUUID", "PARTLABEL")]
    attached = pipe(
        q("losetup --noheadings -O NAME -j {device}", device=ref("device")), "tr '\\n' ' '"
    )
    return script(
        case(
            source,
            branch(tags, assign("device", output(q("findfs {source}", source=source)))),
            otherwise(assign("device", source)),
        ),
        assign("device", output(q("readlink -f -- {device}", device=ref("device")))),
        when(is_file(ref("device")), assign("device", output(attached))),
    )


def _gather_mounts(_: tuple[str, ...]) -> Node:
    return q("cat /proc/self/mountinfo")


def _read_mounts(said: bytes, paths: tuple[str, ...]) -> Mapping[str, MountState | None]:
    found: dict[str, MountState | None] = dict.fromkeys(paths)
    for line in said.decode(errors="replace").splitlines():
        left, dash, right = line.partition(" - ")
        before, after = left.split(" "), right.split(" ")
        short = len(before) < _FIELDS_BEFORE_DASH or len(after) < _FIELDS_AFTER_DASH
        if not dash or short or _plain(before[4]) not in found:
            continue
        found[_plain(before[4])] = MountState(
            source=_plain(after[1]),
            type=after[0],
            options=frozenset(before[5].split(",")),
            super_options=frozenset(_plain(after[2]).split(",")),
        )
    return found


def _plain(field: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), field)


MOUNTS = Fact(name="mounts", gather=_gather_mounts, read=_read_mounts)
"""What is mounted at a path, or None."""


def _gather_sources(sources: tuple[str, ...]) -> Node:
    inode = q("stat -L -c %d:%i -- {source}", source=ref("source"))
    return for_each(
        "source",
        sources,
        resolve(ref("source")),
        println(ref("device")),
        println(output(inode)),
    )


def _read_sources(said: bytes, sources: tuple[str, ...]) -> Mapping[str, SourceState]:
    lines = [*said.decode(errors="replace").split("\n"), *[""] * 2 * len(sources)]
    return {
        source: SourceState(devices=tuple(lines[2 * at].split()), inode=lines[2 * at + 1])
        for at, source in enumerate(sources)
    }


SOURCES = Fact(name="sources", gather=_gather_sources, read=_read_sources)
"""What a source of a mount is."""

_PLAIN_FLAGS = {"nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime"}
_PLAIN_FLAGS |= {"sync", "dirsync", "lazytime", "discard"}
_CONTRARY = {"suid": "nosuid", "dev": "nodev", "exec": "noexec", "atime": "noatime"}
_CONTRARY |= {"async": "sync", "nolazytime": "lazytime", "nodiscard": "discard"}
_SIZE = re.compile(r"(\d+)([kmg]?)", re.IGNORECASE)
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def holds(option: str, there: MountState) -> bool:
    """Say whether an option that was asked for is in force, as far as the kernel shows it.

    The kernel leaves out what is its default, and what only programs read, such as `nofail`: these
    are taken to hold.

    >>> there = MountState(source="tmpfs", type="tmpfs", options=frozenset({"rw", "nosuid"}),
    ...     super_options=frozenset({"rw", "size=1024k"}))
    >>> [holds(each, there) for each in ("rw", "suid", "noexec", "size=1m", "size=2m", "nofail")]
    [True, False, False, True, False, True]
    """
    shown = there.options | there.super_options
    if option == "rw":
        return "ro" not in shown
    if option == "ro":
        return "ro" in shown
    if option in _CONTRARY:
        return _CONTRARY[option] not in shown
    if option in _PLAIN_FLAGS:
        return option in shown
    name, _, value = option.partition("=")
    values = [each.partition("=")[2] for each in shown if each.startswith(f"{name}=")]
    return not value or not values or any(_same(name, value, each) for each in values)


def _same(name: str, asked: str, shown: str) -> bool:
    match name:
        case "size" | "nr_inodes" | "nr_blocks":
            found = [_SIZE.fullmatch(each) for each in (asked, shown)]
            sizes = [int(each[1]) * _UNITS[each[2].lower()] for each in found if each]
            return len(sizes) < len(found) or sizes[0] == sizes[1]
        case "mode":
            return asked.lstrip("0") == shown.lstrip("0")
        case "uid" | "gid":
            return not asked.isdecimal() or asked == shown
        case "subvol":
            return asked.strip("/") == shown.strip("/")
        case "compress" | "compress-force":
            return asked in {shown, shown.partition(":")[0]}
        case _:
            return asked == shown
