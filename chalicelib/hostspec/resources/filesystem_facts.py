"""What devices hold: filesystems, their labels and sizes, or something else; and where mounted."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.hostspec.facts import Fact
from chalicelib.shell import (
    Item,
    Node,
    any_of,
    assign,
    branch,
    case,
    command,
    duplicate,
    exit_,
    for_each,
    if_,
    is_empty,
    is_file,
    join,
    output,
    pipe,
    println,
    q,
    redirect,
    ref,
    render,
    script,
    when,
    write_to,
)

__all__ = [
    "FILESYSTEMS",
    "UNFINISHED",
    "FilesystemState",
    "at_place",
    "held_by",
    "refuse",
    "source_of",
]

UNFINISHED = "unfinished"
"""What a device holds whose mkfs was cut short: nobody can have mounted that."""
_SUM = re.compile(r"Block (count|size): +(\d+)")
_XFS = re.compile(r"data .*bsize=(\d+) +blocks=(\d+),")
_BTRFS = re.compile(r"\s*devid +\d+ size (\d+) ")
_UNIT = re.compile(r"\\x([0-9a-f]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesystemState:
    """What a device, or a file in its place, holds.

    Attributes:
        type: as blkid(8) names it, such as `ext4`, `swap`, `LVM2_member`, `gpt partition table`;
            `xfs, unfinished`; `several things`; or empty: it holds nothing that is known.
        label: the filesystem's; or empty.
        device_bytes: how large the device is; 0 if it cannot be told.
        bytes: how much of it the filesystem uses; 0 if it cannot be told.
    """

    type: str
    label: str
    device_bytes: int
    bytes: int


def refuse(*words: object) -> tuple[Node, Node]:
    """Return the commands that say why something is not done, and fail."""
    return redirect(println(join(*words)), duplicate(1, 2)), exit_(1)


def held_by(device: str) -> Node:
    """Return the script that sets `held` to all that a device holds; it fails if that is unknown."""
    listed = q("wipefs --noheadings -O TYPE -- {device}", device=device)
    return any_of(assign("held", output(listed)), exit_())


def source_of(device: object) -> Node:
    """Return the script that sets `source` to a device, or to the loop device of a file.

    What is mounted of a file is current on its loop device only.
    """
    attached = pipe(q("losetup --noheadings -O NAME -j {device}", device=device), "head -n 1")
    return script(
        assign("source", device),
        when(is_file(device), assign("source", output(attached))),
        assign("source", ref("source", if_empty=device)),
    )


def at_place(device: str, kind: str, *body: Item) -> Node:
    """Return the script that runs a body while the filesystem of a device is mounted.

    The body finds the device in `source` and the folder in `place`. What is mounted nowhere is
    mounted for the time of the body, in a namespace of its own: nobody sees it, and it is gone when
    the script ends, in whatever way.
    """
    # For a file, mount(8) makes a loop device, or takes the one it has; it goes with the mount.
    mounting = q("mount -t {kind} -- {device} /mnt", kind=kind, device=device)
    apart = script(
        any_of(mounting, exit_()),
        assign("place", "/mnt"),
        assign("source", output("findmnt -n -l -f -o SOURCE -M /mnt")),
        *body,
    )
    found = output(q("findmnt -n -l -f -o TARGET --source {source}", source=ref("source")))
    return script(
        source_of(device),
        assign("place", found),
        if_(
            is_empty(ref("place")),
            command("unshare", "-m", "--", "sh", "-c", render(apart)),
            else_=list(body),
        ),
    )


def _gather(devices: tuple[str, ...]) -> Node:
    device, source = ref("device"), ref("source")
    quiet = redirect(q("dumpe2fs -h {source}", source=source), write_to("/dev/null", fd=2))
    sizes = case(
        output(q("blkid -p -o value -s TYPE -- {device}", device=device)),
        branch(["ext2", "ext3", "ext4"], pipe(quiet, "grep -E '^Block (count|size): '")),
        branch(
            "xfs",
            pipe(q("xfs_info {source}", source=source), "grep ^data"),
            q("od -An -tx1 -j126 -N1 {source}", source=source),
        ),
        branch(
            "btrfs",
            pipe(
                q("btrfs filesystem show --raw {source}", source=source),
                "grep -E '^[[:space:]]*devid'",
            ),
        ),
    )
    size = if_(
        is_file(device),
        q("stat -L -c %s {device}", device=device),
        else_=q("blockdev --getsize64 {device}", device=device),
    )
    return for_each(
        "device",
        devices,
        println("device", device),
        source_of(device),
        size,
        q("blkid -p -o udev -- {device}", device=device),
        sizes,
    )


def _read(said: bytes, devices: tuple[str, ...]) -> Mapping[str, FilesystemState | None]:
    parts: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in said.decode(errors="replace").splitlines():
        word, _, device = line.partition(" ")
        if word == "device" and device in devices:
            lines = parts.setdefault(device, [])
        else:
            lines.append(line)
    return {device: _state(parts.get(device, [])) for device in devices}


def _state(lines: list[str]) -> FilesystemState | None:
    if not lines or not lines[0].isdecimal():
        return None
    known = dict(line.split("=", 1) for line in lines if line.startswith("ID_") and "=" in line)
    kind = known.get("ID_FS_TYPE", "")
    if "ID_FS_AMBIVALENT" in known:
        kind = "several things"
    elif table := known.get("ID_PART_TABLE_TYPE"):
        kind = kind or f"{table} partition table"
    if kind == "xfs" and " 01" in lines:
        kind = f"xfs, {UNFINISHED}"
    label = _UNIT.sub(lambda found: chr(int(found[1], 16)), known.get("ID_FS_LABEL_ENC", ""))
    return FilesystemState(
        type=kind, label=label, device_bytes=int(lines[0]), bytes=_size("\n".join(lines))
    )


def _size(text: str) -> int:
    if found := _XFS.search(text):
        return int(found[1]) * int(found[2])
    if found := _BTRFS.search(text):
        return int(found[1])
    blocks = dict(_SUM.findall(text))
    return int(blocks.get("count", 0)) * int(blocks.get("size", 0))


FILESYSTEMS = Fact(name="filesystems", gather=_gather, read=_read)
"""What a device holds, or None where there is no device."""
