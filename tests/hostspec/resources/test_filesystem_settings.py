"""On this machine, as root: an unprivileged container has no loop devices."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Operation, Part
from chalicelib.hostspec.resources.filesystem import Filesystem
from chalicelib.hostspec.resources.filesystem_settings import BtrfsCompression, Ext4Settings
from chalicelib.hostspec.resources.mount import Mount
from chalicelib.shell import q
from chalicelib.transport import LocalTransport
from tests.hostspec.life import apply_well, live, operation
from tests.hostspec.loops import MIB, Loop, grow_loop, loop_devices

HERE = LocalTransport()


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    yield from loop_devices(tmp_path)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mounted", [False, True], ids=["unmounted", "mounted"])
def test_settings_of_ext4_are_kept(tmp_path: Path, loop: Loop, *, mounted: bool) -> None:
    device = loop("disk")
    around: list[Part] = [Filesystem(device=device)]
    if mounted:
        place = str(tmp_path / "place")
        around.append(Mount(source=device, path=place, fstab=f"{tmp_path}/fstab"))
    first = Ext4Settings(device=device, reserved_percent=1.5, errors="panic")
    then = Ext4Settings(
        device=device,
        reserved_percent=0,
        max_mount_count=20,
        check_interval_days=30,
        errors="remount-ro",
    )
    never = Ext4Settings(device=device, max_mount_count=-1, check_interval_days=0)

    assert operation(HERE, first) is Operation.CREATE
    for each in (first, then):
        apply_well(HERE, each, *around)
    for drift in (["-m", "2"], ["-c", "7"], ["-i", "1d"], ["-e", "continue"]):
        HERE.run(q("tune2fs {drift} {device}", drift=drift, device=device))
        assert operation(HERE, then, *around) is Operation.CHANGE
        apply_well(HERE, then, *around)
    apply_well(HERE, never, *around)
    gone = replace(then, absent=True)
    assert operation(HERE, gone, *around) is Operation.REMOVE
    apply_well(HERE, gone, *around)
    listed = HERE.run(q("tune2fs -l {device}", device=device)).text
    assert re.search(r"Errors behavior: +Continue", listed)
    assert re.search(r"Maximum mount count: +-1", listed)


@pytest.mark.timeout(300)
def test_a_share_stays_when_the_filesystem_grows(loop: Loop) -> None:
    device = loop("disk")
    parts = [Filesystem(device=device), Ext4Settings(device=device, reserved_percent=1.3)]
    apply_well(HERE, *parts)

    grow_loop(device, 500 * MIB)

    apply_well(HERE, *parts)


@pytest.mark.timeout(300)
def test_a_compression_lives(loop: Loop, tmp_path: Path) -> None:
    device, place = loop("disk"), str(tmp_path / "place")
    below = f"{place}/sub"
    around = [
        Filesystem(device=device, type="btrfs"),
        Mount(source=device, path=place, type="btrfs", fstab=f"{tmp_path}/fstab"),
    ]
    apply_well(HERE, *around)
    HERE.run(q("btrfs subvolume create {below}", below=below))

    live(
        HERE,
        BtrfsCompression(path=below),
        BtrfsCompression(path=below, method="zlib"),
        around=around,
        drift=[
            q("btrfs property set {below} compression lzo", below=below),
            q("btrfs property set {below} compression ''", below=below),
        ],
    )
    for method in ("lzo", "none"):
        apply_well(HERE, BtrfsCompression(path=below, method=method))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"reserved_percent": 51},
        {"max_mount_count": -2},
        {"check_interval_days": -1},
        {"errors": "ignore"},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        Ext4Settings(device="/dev/vdb", **wrong)


def test_a_compression_that_cannot_be_is_refused() -> None:
    with pytest.raises(SpecError, match="method"):
        BtrfsCompression(path="/srv", method="gzip")  # type: ignore[arg-type]
