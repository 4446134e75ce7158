"""Mostly on this machine, as root: an unprivileged container mounts no devices."""

import doctest
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Operation, Outcome
from chalicelib.hostspec.resources import mount_facts
from chalicelib.hostspec.resources.filesystem import Filesystem
from chalicelib.hostspec.resources.mount import Mount
from chalicelib.hostspec.resources.mount_facts import escaped
from chalicelib.shell import append_to, println, q, redirect
from chalicelib.transport import LocalTransport, Transport
from tests.hostspec.life import apply_well, live, operation
from tests.hostspec.loops import Loop, loop_devices, outcome_here

HERE = LocalTransport()
FOREIGN = (
    b"# theirs\r\n\nUUID=1 / ext4\tdefaults 0 1\n  proc /proc proc x 0 0\ntmpfs /x tmpfs a\xff 0 0"
)


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    """Make loop devices; and unmount all that a test leaves mounted."""
    yield from loop_devices(tmp_path)


@pytest.fixture
def fstab(tmp_path: Path) -> Path:
    """A file with entries of others, and without a final newline."""
    file = tmp_path / "fstab"
    file.write_bytes(FOREIGN)
    return file


def test_the_examples_are_true() -> None:
    assert doctest.testmod(mount_facts).failed == 0


@pytest.mark.timeout(300)
def test_a_mount_of_a_device_lives(loop: Loop, tmp_path: Path, fstab: Path) -> None:
    device, path = loop("disk"), f"{tmp_path}/a b"
    files = Filesystem(device=device, label="mine")
    made = Mount(source=device, path=path, type="ext4", options=("noatime",), fstab=str(fstab))
    then = Mount(
        source=device,
        path=path,
        type="ext4",
        options=("rw", "nodev", "noexec", "commit=30", "nofail"),
        check_pass=2,
        fstab=str(fstab),
    )

    live(
        HERE,
        made,
        then,
        around=[files],
        drift=[
            q("umount {path}", path=path),
            q("mount -o remount,exec {path}", path=path),
            q("mount -o remount,ro {path}", path=path),
            q("mount -o remount,commit=7 {path}", path=path),
            q("sed -i /nofail/d {fstab}", fstab=str(fstab)),
            q("sed -i s/nofail/auto/ {fstab}", fstab=str(fstab)),
            redirect(println(f"other {escaped(path)} none auto"), append_to(str(fstab))),
        ],
    )

    assert fstab.read_bytes().rstrip(b"\n") == FOREIGN


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("loop")
def test_a_mount_of_memory_lives(tmp_path: Path, fstab: Path) -> None:
    place = tmp_path / "memory"
    first = Mount(
        source="tmpfs", path=str(place), type="tmpfs", options=("size=1m",), fstab=str(fstab)
    )

    live(
        HERE,
        first,
        Mount(
            source="tmpfs",
            path=str(place),
            type="tmpfs",
            options=("size=2m", "mode=0750", "nosuid"),
            fstab=str(fstab),
        ),
        drift=[
            q("mount -o remount,size=3m {path}", path=str(place)),
            q("umount {path}", path=str(place)),
        ],
    )


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("loop")
def test_a_mount_of_a_directory_lives(tmp_path: Path, fstab: Path) -> None:
    source, path = tmp_path / "source", tmp_path / "path"
    source.mkdir()
    options: dict[str, Any] = {"source": str(source), "path": str(path), "type": "none"}

    live(
        HERE,
        Mount(**options, options=("bind",), fstab=str(fstab)),
        Mount(**options, options=("bind", "ro"), fstab=str(fstab)),
        drift=[
            q("mount -o remount,bind,rw {path}", path=str(path)),
            q("umount {path}", path=str(path)),
        ],
    )


@pytest.mark.timeout(300)
def test_a_mount_by_label_lives(tmp_path: Path, loop: Loop, fstab: Path) -> None:
    device, path = loop("disk"), str(tmp_path / "path")
    label = f"b{tmp_path.stat().st_ino}"
    options: dict[str, Any] = {"source": f"LABEL={label}", "path": path, "type": "btrfs"}

    live(
        HERE,
        Mount(**options, options=("compress=zstd",), fstab=str(fstab)),
        Mount(**options, options=("compress=lzo", "discard"), fstab=str(fstab)),
        around=[Filesystem(device=device, type="btrfs", label=label)],
        drift=[q("mount -o remount,compress=zlib {path}", path=path)],
    )


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("loop")
def test_a_mount_of_a_file_lives(tmp_path: Path, fstab: Path) -> None:
    file, path = str(tmp_path / "image"), str(tmp_path / "path")
    HERE.run(q("truncate -s 32M {file}", file=file))

    live(
        HERE,
        Mount(source=file, path=path, type="ext4", fstab=str(fstab)),
        Mount(source=file, path=path, type="ext4", options=("noatime", "loop"), fstab=str(fstab)),
        around=[Filesystem(device=file)],
        drift=[q("umount {path}", path=path)],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_systemd_knows_of_a_mount_and_of_its_end(machine: Transport) -> None:
    before = machine.run("cat /etc/fstab", check=False).stdout
    wanted = Mount(source="tmpfs", path="/srv/memory", type="tmpfs", options=("size=1m", "nodev"))
    shown = q("systemctl show -P FragmentPath -P ActiveState srv-memory.mount")

    apply_well(machine, wanted)
    made = machine.run(shown).stdout
    apply_well(machine, replace(wanted, absent=True))

    assert set(made.split()) == {b"/run/systemd/generator/srv-memory.mount", b"active"}
    assert b"active" not in machine.run(shown).stdout.split()
    assert machine.run("cat /etc/fstab", check=False).stdout == before
    machine.run("rmdir /srv/memory")


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("loop")
def test_other_options_take_force_while_it_is_in_use(tmp_path: Path, fstab: Path) -> None:
    path = tmp_path / "memory"
    options: dict[str, Any] = {"source": "tmpfs", "path": str(path), "fstab": str(fstab)}
    apply_well(HERE, Mount(**options, type="tmpfs"))

    with (path / "open").open("w") as file:
        apply_well(HERE, Mount(**options, type="tmpfs", options=("noexec",)))
        file.write("kept")

    assert (path / "open").read_text() == "kept"


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("loop")
def test_what_is_in_use_is_not_unmounted_and_keeps_its_entry(tmp_path: Path, fstab: Path) -> None:
    path = tmp_path / "memory"
    wanted = Mount(source="tmpfs", path=str(path), type="tmpfs", fstab=str(fstab))
    gone = Mount(source="tmpfs", path=str(path), type="tmpfs", fstab=str(fstab), absent=True)
    apply_well(HERE, wanted)

    with (path / "open").open("w"):
        outcome = outcome_here(gone)

    assert outcome.outcome is Outcome.FAILED
    assert "busy" in outcome.tail
    assert operation(HERE, wanted) is Operation.NOTHING
    apply_well(HERE, gone)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("loop")
def test_what_is_mounted_of_something_else_stays(tmp_path: Path, fstab: Path) -> None:
    path = tmp_path / "memory"
    theirs = Mount(source="theirs", path=str(path), type="tmpfs", fstab=str(fstab))
    apply_well(HERE, theirs)
    before = fstab.read_bytes()
    ours = Mount(source="ours", path=str(path), type="tmpfs", fstab=str(fstab), absent=True)

    assert operation(HERE, ours) is Operation.NOTHING
    HERE.run(list(ours.actions()))
    assert fstab.read_bytes() == before
    assert operation(HERE, theirs) is Operation.NOTHING

    by_us = Mount(source="ours", path=str(path), type="tmpfs", fstab=f"{fstab}.other")
    outcome = outcome_here(by_us)
    assert f"{path} is taken by a mount of theirs" in outcome.tail
    assert operation(HERE, theirs) is Operation.NOTHING


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": "a b"},
        {"source": "-o"},
        {"source": "LABEL=a b"},
        {"source": "host:export"},
        {"path": "srv"},
        {"type": "a,b"},
        {"options": ("a b",)},
        {"options": ("a,b",)},
        {"options": ("",)},
        {"options": ("-o",)},
        {"options": ("remount",)},
        {"check_pass": 3},
    ],
    ids=str,
)
def test_what_is_no_entry_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        Mount(**{"source": "tmpfs", "path": "/srv/x", **wrong})
