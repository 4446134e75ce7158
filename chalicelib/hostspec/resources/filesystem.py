"""A filesystem on a device: made where there is nothing, and grown with the device."""

import re
from dataclasses import dataclass
from typing import ClassVar, Literal

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.hostspec.resources.filesystem_facts import (
    FILESYSTEMS,
    UNFINISHED,
    FilesystemState,
    at_place,
    held_by,
    refuse,
    source_of,
)
from chalicelib.hostspec.resources.path_facts import check_path
from chalicelib.shell import (
    Node,
    all_of,
    any_of,
    branch,
    case,
    command,
    equal,
    exit_,
    group,
    is_empty,
    last_status,
    not_equal,
    num_gt,
    otherwise,
    output,
    q,
    ref,
    script,
    when,
)

__all__ = ["Filesystem", "FilesystemType"]

FilesystemType = Literal["ext4", "xfs", "btrfs"]
_PACKAGES = {"ext4": "e2fsprogs", "xfs": "xfsprogs", "btrfs": "btrfs-progs"}
_LABEL_LENGTHS = {"ext4": 16, "xfs": 12, "btrfs": 255}
_FORCING = re.compile(r"-[a-zA-Z]*[fF]|--force")
_WHOLE = "the whole device"
# What mkfs and growing leave over at the end: a last group that would hold only its own tables
# (ext4, up to 7 MiB with blocks of 4 KiB), an incomplete group (xfs), less than a block (btrfs).
_SLACK_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Filesystem(Resource):
    """A filesystem, of the size of its device.

    It is made only where blkid(8) and wipefs(8) know of nothing: a partition table, LVM, LUKS, swap
    or another filesystem is an error, and stays. A mkfs that was cut short is done again.

    Attributes:
        device: absolute path of a block device, of one device for btrfs; or of a file in its place.
        type: `ext4`, `xfs` or `btrfs`. Default: ext4.
        label: up to 16, 12 or 255 characters. Default: whatever it is.
        options: words for mkfs, when it is made; they are not compared later.
        grow: make it as large as the device, within 16 MiB, where that has grown. What is mounted
            stays so. Default: yes.

    `absent` is refused, for it would lose what is there; `with_data` as well means just that: the
    signature is wiped, unless it is in use.
    """

    kind: ClassVar[str] = "filesystem"

    device: str
    type: FilesystemType = "ext4"
    label: str = ""
    options: tuple[str, ...] = ()
    grow: bool = True
    with_data: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be, and what would destroy."""
        check_path(self, self.device, "device")
        check(self, self.type in _PACKAGES, f"type: {self.type!r} is none of {[*_PACKAGES]}")
        plain = re.fullmatch(r"([A-Za-z0-9_.][A-Za-z0-9_.+:-]*)?", self.label)
        check(self, plain, f"label: {self.label!r} is no label")
        most = _LABEL_LENGTHS[self.type]
        check(self, len(self.label) <= most, f"label: more than {most} characters")
        for before, each in zip(("", *self.options), self.options, strict=False):
            word = each and each.isprintable() and each[0] != "/"
            # A word that belongs to no option would be another device.
            own = each[:1] == "-" or before[:1] == "-"
            check(self, word and own, f"options: {each!r} is no option, nor of one")
            check(self, not _FORCING.fullmatch(each), f"options: {each} would destroy data")
        lost = self.absent and not self.with_data
        check(self, not lost, "removing it would lose its data: say with_data=True")

    @property
    def subject(self) -> str:
        """The device."""
        return self.device

    @property
    def provides(self) -> tuple[str, ...]:
        """The filesystem, by its device and by its label."""
        labelled = [names.filesystem(f"LABEL={self.label}")] if self.label else []
        return (names.filesystem(self.device), *labelled)

    @property
    def wants(self) -> tuple[str, ...]:
        """The file, if it is one, and the programs."""
        above = names.under(self.device)
        return (names.path(self.device), *above, names.package(_PACKAGES[self.type]))

    def asks(self) -> tuple[Ask[object], ...]:
        """What the device holds."""
        return (FILESYSTEMS(self.device),)

    def wanted(self) -> Fields:
        """Type, label and size."""
        label = {"label": self.label} if self.label else {}
        return {"type": self.type, **label, **({"size": _WHOLE} if self.grow else {})}

    def found(self, facts: Facts) -> Fields | None:
        """The same of what is there; another thing than this filesystem has a type only."""
        there = facts[FILESYSTEMS(self.device)]
        if there is None or not there.type:
            return None
        if there.type != self.type:
            ours = there.type == f"{self.type}, {UNFINISHED}"
            return {"type": there.type} if ours or not self.absent else None
        label = {"label": there.label} if self.label else {}
        return {"type": there.type, **label, **({"size": _size(there)} if self.grow else {})}

    def actions(self) -> tuple[Node, ...]:
        """Make it where there is nothing, name it, grow it."""
        if self.absent:
            return (self._wipe(),)
        return (
            self._make(),
            *([self._name()] if self.label else []),
            *([self._grow()] if self.grow else []),
        )

    def _make(self) -> Node:
        """Return the script that looks at the device just before it makes the filesystem."""
        words = ["-L", self.label] if self.label else []
        program, rest = f"mkfs.{self.type}", (*words, *self.options, self.device)
        there: list[Node] = []
        if self.type == "xfs":
            # mkfs.xfs writes `sb_inprogress`, byte 126, first and takes it away last; no kernel
            # mounts such a thing. The two others write their signature last. (Each was killed at
            # each of its writes, 2026-11-26, xfsprogs 6.1.)
            half = output(q("od -An -tx1 -j126 -N1 {device}", device=self.device))
            there = [when(equal(half, " 01"), command(program, "-q", "-f", *rest))]
        return script(
            held_by(self.device),
            case(
                ref("held"),
                branch("", command(program, "-q", *rest)),
                branch(self.type, *there),
                otherwise(*refuse(self.device, " holds data (", ref("held"), "), which stays")),
            ),
        )

    def _name(self) -> Node:
        if self.type == "ext4":
            naming = q("e2label {source} {label}", source=ref("source"), label=self.label)
            return script(source_of(self.device), naming)
        if self.type == "xfs":
            word = f"label -s {self.label}"
            naming = q("xfs_io -c {word} {place}", word=word, place=ref("place"))
        else:
            naming = q(
                "btrfs filesystem label {place} {label}", place=ref("place"), label=self.label
            )
        return at_place(self.device, self.type, naming)

    def _grow(self) -> Node:
        if self.type == "ext4":
            return _grow_ext4(self.device)
        if self.type == "xfs":
            growing = q("xfs_growfs -d {place}", place=ref("place"))
        else:
            growing = q("btrfs filesystem resize max {place}", place=ref("place"))
        return at_place(self.device, self.type, _notice_size(self.device), growing)

    def _wipe(self) -> Node:
        in_use = not_equal(ref("source"), self.device)
        return script(
            held_by(self.device),
            source_of(self.device),
            when(
                equal(ref("held"), self.type),
                when(in_use, *refuse(self.device, " is in use as ", ref("source"))),
                q("wipefs -a -q -- {device}", device=self.device),
            ),
        )


def _notice_size(device: str) -> Node:
    """Return the command that makes a loop device as large as its file has become."""
    loop = not_equal(ref("source"), device)
    return when(loop, q("losetup -c {source}", source=ref("source")))


def _grow_ext4(device: str) -> Node:
    """Return the script that grows it where it is mounted, or else checked, as resize2fs asks."""
    source = ref("source")
    grow = q("resize2fs {source}", source=source)
    place = output(q("findmnt -n -l -f -o TARGET --source {source}", source=source))
    mended = group(
        q("e2fsck -f -p {source}", source=source),
        # 1: errors were corrected.
        when(num_gt(last_status(), 1), exit_(1)),
        grow,
    )
    return script(
        source_of(device),
        _notice_size(device),
        any_of(grow, all_of(is_empty(place), mended)),
    )


def _size(there: FilesystemState) -> str:
    if there.device_bytes - there.bytes <= _SLACK_BYTES:
        return _WHOLE
    return f"{there.bytes} of {there.device_bytes} bytes"
