"""On this machine, as root: an unprivileged container must not swap."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Operation, Outcome
from chalicelib.hostspec.resources.filesystem import Filesystem
from chalicelib.hostspec.resources.mount import Mount
from chalicelib.hostspec.resources.swap import Swap
from chalicelib.shell import command, for_lines, pipe, q, ref
from chalicelib.transport import LocalTransport
from tests.hostspec.life import apply_well, live, operation
from tests.hostspec.loops import Loop, loop_devices, outcome_here

HERE = LocalTransport()
FOREIGN = "# theirs\nUUID=1 / ext4 defaults 0 1\nUUID=2 none swap sw 0 0\n"


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    """Make loop devices; and end the use of what a test leaves."""
    for make in loop_devices(tmp_path):
        yield make
        used = pipe("swapon --show=NAME --noheadings", command("grep", "-F", f"{tmp_path}/"))
        HERE.run(for_lines("path", used, q("swapoff {path}", path=ref("path"))))


@pytest.fixture
def fstab(tmp_path: Path) -> Path:
    file = tmp_path / "fstab"
    file.write_text(FOREIGN)
    return file


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("loop")
def test_a_swap_file_lives(tmp_path: Path, fstab: Path) -> None:
    path = str(tmp_path / "swap")

    live(
        HERE,
        Swap(path=path, size_mib=8, fstab=str(fstab)),
        Swap(path=path, size_mib=16, priority=7, fstab=str(fstab)),
        drift=[
            q("swapoff {path}", path=path),
            q("sed -i s/pri=7/pri=8/ {fstab}", fstab=str(fstab)),
            [q("swapoff {path}", path=path), q("rm {path}", path=path)],
            [q("swapoff {path}", path=path), q("swapon -p 9 {path}", path=path)],
        ],
    )

    assert fstab.read_text() == FOREIGN
    assert not Path(path).exists()


@pytest.mark.timeout(300)
def test_a_swap_device_lives(loop: Loop, fstab: Path) -> None:
    device = loop("disk")

    live(
        HERE,
        Swap(path=device, fstab=str(fstab)),
        Swap(path=device, priority=3, fstab=str(fstab)),
        drift=[
            q("swapoff {path}", path=device),
            [q("swapoff {path}", path=device), q("wipefs -a -q {path}", path=device)],
        ],
    )


@pytest.mark.timeout(300)
def test_a_swap_file_on_btrfs_is_not_copied_on_write(
    tmp_path: Path, loop: Loop, fstab: Path
) -> None:
    device, place = loop("disk"), str(tmp_path / "place")
    swap = Swap(path=f"{place}/swap", size_mib=8, fstab=str(fstab))

    apply_well(
        HERE,
        swap,
        Mount(source=device, path=place, type="btrfs", fstab=str(fstab)),
        Filesystem(device=device, type="btrfs"),
    )

    assert b"C" in HERE.run(q("lsattr {path}", path=swap.path)).stdout.split()[0]
    HERE.run(q("swapoff {path}", path=swap.path))


@pytest.mark.timeout(300)
def test_what_is_there_and_is_no_swap_stays(loop: Loop, tmp_path: Path, fstab: Path) -> None:
    file, device = tmp_path / "data", loop("disk")
    file.write_bytes(b"x" * 20_000)
    HERE.run(q("mkfs.ext4 -q {device}", device=device))

    for wanted, what in (
        (Swap(path=str(file), size_mib=8, fstab=str(fstab)), "no swap"),
        (Swap(path=device, fstab=str(fstab)), "ext4"),
    ):
        outcome = outcome_here(wanted)
        assert outcome.outcome is Outcome.FAILED
        assert f"holds data ({what})" in outcome.tail
    gone = Swap(path=str(file), size_mib=8, fstab=str(fstab), absent=True)
    assert operation(HERE, gone) is Operation.NOTHING
    HERE.run(list(gone.actions()))

    assert file.read_bytes() == b"x" * 20_000
    assert fstab.read_text() == FOREIGN


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("loop")
def test_a_file_that_was_cut_short_is_made_anew(tmp_path: Path, fstab: Path) -> None:
    wanted = Swap(path=str(tmp_path / "swap"), size_mib=8, fstab=str(fstab))
    Path(f"{wanted.path}.berth").write_bytes(b"x" * 99)

    apply_well(HERE, wanted)

    assert not Path(f"{wanted.path}.berth").exists()


@pytest.mark.parametrize(
    "wrong", [{"path": "swap"}, {"path": "/a b"}, {"size_mib": 0}, {"priority": -1}], ids=str
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        Swap(**{"path": "/swap", **wrong})
