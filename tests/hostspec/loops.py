"""Devices and mounts on this machine, for what no unprivileged container may do; needs root."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from chalicelib.errors import CommandFailedError
from chalicelib.hostspec import Resource, ResourceOutcome, Spec, apply
from chalicelib.shell import command, for_lines, output, pipe, q, ref
from chalicelib.transport import LocalTransport, Transport

__all__ = ["MIB", "Loop", "grow_loop", "loop_devices", "outcome_here"]

MIB = 1024 * 1024
_SMALLEST_XFS = 320 * MIB
"""mkfs.xfs refuses less than 300 MiB. The files are sparse."""
_HERE = LocalTransport()
Loop = Callable[[str], str]
"""From the name of a file to a loop device of 320 MiB."""


def outcome_here(resource: Resource) -> ResourceOutcome:
    """Apply a resource to this machine, which others may be doing too, and tell what became of it."""
    return apply(Spec(resource), _HERE, lock_wait=timedelta(minutes=1)).outcomes[0]


def grow_loop(device: str, size_bytes: int, *, host: Transport = _HERE) -> None:
    """Make a loop device larger, as a volume of EBS grows."""
    file = output(q("losetup --noheadings -O BACK-FILE {device}", device=device))
    host.run(q("truncate -s {size} {file}", size=size_bytes, file=file))
    host.run(q("losetup -c {device}", device=device))


def loop_devices(folder: Path) -> Iterator[Loop]:
    """Give what makes loop devices of files in a folder; unmount and detach all in the end."""
    devices: list[str] = []

    def make(name: str) -> str:
        file = folder / name
        file.touch()
        _HERE.run(q("truncate -s {size} {file}", size=_SMALLEST_XFS, file=str(file)))
        made = _HERE.run(q("losetup -f --show {file}", file=str(file))).stdout.decode().strip()
        devices.append(made)
        return made

    try:
        yield make
    finally:
        mounted = pipe("findmnt -n -l -o TARGET", command("grep", "-F", f"{folder}/"), "sort -r")
        with suppress(CommandFailedError):
            _HERE.run(for_lines("place", mounted, q("umount {place}", place=ref("place"))))
        for each in devices:
            _HERE.run(q("losetup -d {device}", device=each))
