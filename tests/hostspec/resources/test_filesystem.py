"""On this machine, as root: an unprivileged container has no loop devices."""

import hashlib
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Operation, Outcome, Spec, audit
from chalicelib.hostspec.resources.filesystem import Filesystem, FilesystemType
from chalicelib.shell import Item, command, q
from chalicelib.transport import LocalTransport, Transport
from tests.hostspec.life import apply_well, live, operation
from tests.hostspec.loops import MIB, Loop, grow_loop, loop_devices, outcome_here

HERE = LocalTransport()
ALL: tuple[FilesystemType, ...] = ("ext4", "xfs", "btrfs")
GROWN_BYTES = 400 * MIB


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    yield from loop_devices(tmp_path)


def _labelling(kind: FilesystemType, device: str) -> Item:
    match kind:
        case "ext4":
            return q("e2label {device} theirs", device=device)
        case "xfs":
            return q("xfs_admin -L theirs {device}", device=device)
        case "btrfs":
            return q("btrfs filesystem label {device} theirs", device=device)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.timeout(300)
def test_a_filesystem_lives(kind: FilesystemType, loop: Loop) -> None:
    device = loop("disk")

    live(
        HERE,
        Filesystem(device=device, type=kind, label="one", with_data=True),
        Filesystem(device=device, type=kind, label="two", with_data=True),
        drift=[_labelling(kind, device), q("wipefs -q -a {device}", device=device)],
    )


def _file(device: str) -> str:
    listed = HERE.run(q("losetup --noheadings -O BACK-FILE {device}", device=device))
    return listed.stdout.decode().strip()


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.timeout(300)
def test_a_filesystem_grows_with_its_device(
    kind: FilesystemType, loop: Loop, tmp_path: Path
) -> None:
    device, place = loop("disk"), tmp_path / "place"
    place.mkdir()

    _grows(HERE, kind, device, str(place), mounted=False)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.timeout(120)
def test_a_filesystem_grows_while_it_is_mounted(kind: FilesystemType, kernel: Transport) -> None:
    """On a kernel of its own: this one may withhold CAP_SYS_RESOURCE, which ext4 asks for."""
    kernel.run("modprobe loop")
    folder = kernel.run("mktemp -d -p /run").text
    file = f"{folder}/disk"
    kernel.run(q("truncate -s {size} {file}", size=320 * MIB, file=file))
    device = kernel.run(q("losetup -f --show {file}", file=file)).text
    kernel.run(q("mkdir {place}", place=f"{folder}/place"))

    _grows(kernel, kind, device, f"{folder}/place", mounted=True)

    kernel.run(q("umount {place}", place=f"{folder}/place"))
    kernel.run(q("losetup -d {device}", device=device))
    kernel.run(q("rm -r {folder}", folder=folder))


def _grows(
    host: Transport, kind: FilesystemType, device: str, place: str, *, mounted: bool
) -> None:
    mount, kept = q("mount {device} {place}", device=device, place=place), f"{place}/kept"
    wanted = Filesystem(device=device, type=kind, label="data")
    apply_well(host, wanted)
    host.run(mount)
    host.put(b"kept", kept)
    if not mounted:
        host.run(q("umount {place}", place=place))
    before = operation(host, wanted)

    grow_loop(device, GROWN_BYTES, host=host)
    noticed = operation(host, wanted)
    apply_well(host, wanted)

    if not mounted:
        host.run(mount)
    size = host.run(q("stat -f -c {form} {place}", form="%b %S", place=place)).text.split()
    assert (before, noticed) == (Operation.NOTHING, Operation.CHANGE)
    assert host.get(kept) == b"kept"
    assert int(size[0]) * int(size[1]) > 0.8 * GROWN_BYTES


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.timeout(300)
def test_a_file_in_place_of_a_device_grows_too(kind: FilesystemType, tmp_path: Path) -> None:
    file = str(tmp_path / "image")
    wanted = Filesystem(device=file, type=kind)
    HERE.run(q("truncate -s {size} {file}", size=320 * MIB, file=file))
    apply_well(HERE, wanted)
    HERE.run(q("truncate -s {size} {file}", size=GROWN_BYTES, file=file))

    apply_well(HERE, wanted)

    assert not HERE.run(q("losetup -j {file}", file=file)).stdout


def _gpt() -> bytes:
    """Return a GUID partition table of no partitions, after its protective MBR (UEFI, 5.3)."""
    sectors, entries = 320 * MIB // 512, bytes(128 * 128)
    protective = bytes(446) + b"\0\0\2\0\xee\xff\xff\xff" + struct.pack("<II", 1, sectors - 1)
    mbr = protective + bytes(48) + b"\x55\xaa"

    def header(checksum: int) -> bytes:
        places = (1, sectors - 1, 34, sectors - 34)
        start = struct.pack("<8sIIII4Q", b"EFI PART", 0x10000, 92, checksum, 0, *places)
        return start + b"a" * 16 + struct.pack("<QIII", 2, 128, 128, zlib.crc32(entries))

    return mbr + header(zlib.crc32(header(0))) + bytes(420) + entries


_DOS = bytes(446) + b"\0\0\2\0\x83\0\0\0" + struct.pack("<II", 1, 2048) + bytes(48) + b"\x55\xaa"
_LUKS = b"LUKS\xba\xbe\0\1" + bytes(160) + b"a" * 36


def _lvm() -> bytes:
    """Return a label of LVM2 in its sector, with its checksum (lib/format_text/layout.h)."""
    checked = struct.pack("<I8s32s", 32, b"LVM2 001", b"a" * 32) + bytes(448)
    checksum = ~zlib.crc32(checked, ~0xF597A6CF & 0xFFFFFFFF) & 0xFFFFFFFF
    return bytes(512) + struct.pack("<8sQI", b"LABELONE", 1, checksum) + checked


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("mkswap", "swap"),
        ("mkfs.ext4", "ext4"),
        (_gpt(), "gpt"),
        (_DOS, "dos"),
        (_LUKS, "crypto_LUKS"),
        (_lvm(), "LVM2_member"),
    ],
    ids=["swap", "ext4", "gpt", "dos", "luks", "lvm"],
)
@pytest.mark.timeout(300)
def test_what_a_device_holds_stays(made: str | bytes, told: str, loop: Loop) -> None:
    device = loop("disk")
    _hold(device, made)
    before = _digest(device)

    for kind in ("xfs", "btrfs"):
        wanted = Filesystem(device=device, type=kind, label="ours")
        assert operation(HERE, wanted) is Operation.CHANGE
        outcome = outcome_here(wanted)
        assert outcome.outcome is Outcome.FAILED
        assert f"{device} holds data ({told}" in outcome.tail
    gone = Filesystem(device=device, type="xfs", absent=True, with_data=True)
    assert operation(HERE, gone) is Operation.NOTHING

    assert _digest(device) == before


def _hold(device: str, made: str | bytes) -> None:
    """Put something there, by a program or as its bytes."""
    if isinstance(made, bytes):
        with Path(device).open("r+b") as disk:
            disk.write(made)
    else:
        HERE.run(command(made, device))


def _digest(device: str) -> str:
    with Path(device).open("rb") as disk:
        return hashlib.file_digest(disk, "sha256").hexdigest()


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.timeout(300)
def test_a_mkfs_that_was_cut_short_is_done_again(kind: FilesystemType, tmp_path: Path) -> None:
    file = tmp_path / "image"
    file.touch()
    os.truncate(file, 320 * MIB)
    making = command("prlimit", f"--fsize={64 * MIB}", f"mkfs.{kind}", "-q", str(file))
    assert HERE.run(making, check=False).exit_status

    apply_well(HERE, Filesystem(device=str(file), type=kind))


@pytest.mark.timeout(300)
def test_an_unfinished_xfs_is_made_again(tmp_path: Path) -> None:
    """What mkfs.xfs leaves when it is killed after its first writes: `sb_inprogress` is set."""
    file = tmp_path / "image"
    file.touch()
    os.truncate(file, 320 * MIB)
    wanted = Filesystem(device=str(file), type="xfs", label="data")
    apply_well(HERE, wanted)
    with file.open("r+b") as image:
        image.seek(126)
        image.write(b"\1")

    plan = audit(Spec(wanted), HERE)
    apply_well(HERE, wanted)

    assert plan.work[0].differences[0].before == "xfs, unfinished"
    with file.open("rb") as image:
        image.seek(126)
        assert image.read(1) == b"\0"


@pytest.mark.timeout(300)
def test_what_came_to_a_device_since_the_plan_stays(loop: Loop) -> None:
    """The commands look again."""
    device = loop("disk")
    wanted = Filesystem(device=device, type="btrfs")
    plan = audit(Spec(wanted), HERE)
    HERE.run(q("mkswap {device}", device=device))
    before = _digest(device)

    ran = HERE.run(command_of(plan.work[0].resource), check=False)

    assert ran.exit_status
    assert b"holds data (swap)" in ran.stderr
    assert _digest(device) == before


def command_of(resource: object) -> Item:
    assert isinstance(resource, Filesystem)
    return list(resource.actions()[:1])


@pytest.mark.timeout(300)
def test_a_filesystem_in_use_is_not_wiped(loop: Loop, tmp_path: Path) -> None:
    device = loop("disk")
    wanted = Filesystem(device=device, with_data=True)
    apply_well(HERE, wanted)
    place = tmp_path / "place"
    place.mkdir()
    HERE.run(q("mount {device} {place}", device=device, place=str(place)))

    gone = Filesystem(device=device, absent=True, with_data=True)
    by_file = Filesystem(device=_file(device), absent=True, with_data=True)
    tails = [outcome_here(each).tail for each in (gone, by_file)]

    assert "busy" in tails[0]
    assert f"is in use as {device}" in tails[1]
    assert operation(HERE, wanted) is Operation.NOTHING


def test_a_device_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    outcome = outcome_here(Filesystem(device=f"{tmp_path}/none"))

    assert outcome.outcome is Outcome.FAILED
    assert "No such file" in outcome.tail


def test_a_filesystem_is_not_removed_unawares() -> None:
    with pytest.raises(SpecError, match="would lose its data"):
        Filesystem(device="/dev/vdb", absent=True)


@pytest.mark.parametrize(
    ("label", "options", "why"),
    [
        ("thirteen-long", (), "more than 12"),
        ("a b", (), "is no label"),
        ("-L", (), "is no label"),
        ("", ("-f",), "would destroy"),
        ("", ("-qf",), "would destroy"),
        ("", ("",), "is no option"),
        ("", ("/dev/sda",), "is no option"),
        ("", ("-q", "/dev/sda"), "is no option"),
        ("", ("-q", "a", "b"), "is no option"),
    ],
)
def test_what_cannot_be_is_refused(label: str, options: tuple[str, ...], why: str) -> None:
    with pytest.raises(SpecError, match=why):
        Filesystem(device="/dev/vdb", type="xfs", label=label, options=options)
