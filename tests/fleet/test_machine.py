"""What this machine's kernel says: its own log, a real full disk, files as v2 has them."""

import itertools
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.clock import SystemClock
from chalicelib.fleet.cgroups import MemoryCounters
from chalicelib.fleet.machine import (
    log_drift,
    read_counters,
    read_health,
    read_kernel_log,
    read_room,
    since_boot,
)


@contextmanager
def small_disk(folder: Path, *, inodes: int) -> Iterator[Path]:
    """An ext4 of 4 MiB on a loop device, mounted."""
    image, mounted = folder / "disk", folder / "mounted"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(4 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-N", str(inodes), image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mounted], check=True)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", mounted], check=True)


def fill(folder: Path) -> None:
    """Write until the file system refuses."""
    handle = os.open(folder / "big", os.O_WRONLY | os.O_CREAT)
    with suppress(OSError):
        while True:
            os.write(handle, bytes(4096))
    os.close(handle)


def use_up_inodes(folder: Path) -> None:
    """Make empty files until the file system refuses."""
    with suppress(OSError):
        for number in itertools.count():
            (folder / str(number)).touch()


@pytest.mark.lxd
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with small_disk(tmp_path, inodes=64) as disk:
        before = read_room(disk, "x").problem()
        fill(disk)

        after = read_room(disk, "x").problem()

    assert before == ""
    assert after.startswith("the host's disk is full: 0 bytes of ")


@pytest.mark.lxd
def test_a_disk_without_inodes_is_named(tmp_path: Path) -> None:
    with small_disk(tmp_path, inodes=32) as disk:
        use_up_inodes(disk)

        room = read_room(disk, "x")

    assert room.free_bytes > 1 << 20
    assert room.problem() == "the host's disk is out of inodes: 0 of 32 are free for x"


@pytest.mark.lxd
def test_the_kernels_own_log_is_read() -> None:
    log = read_kernel_log()

    assert log.begins_at is not None
    now = SystemClock().now()
    assert log.begins_at <= since_boot(now, now=now) + log_drift()


def test_a_log_that_may_not_be_read_begins_nowhere(tmp_path: Path) -> None:
    assert read_kernel_log(tmp_path / "none").begins_at is None


def test_a_log_in_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("6,0,5,-;Linux version 6.1.0\n")

    assert read_kernel_log(tmp_path / "log").begins_at == timedelta(0)


def test_a_moment_before_the_boot_is_negative() -> None:
    now = SystemClock().now()

    assert since_boot(now - timedelta(days=36_500), now=now) < timedelta(0)
    assert since_boot(now, now=now) > timedelta(0)


def test_counters_of_v2_are_in_the_containers_own_group(tmp_path: Path) -> None:
    group = tmp_path / "lxc.payload.berth_x"
    group.mkdir()
    (group / "memory.events").write_text("oom 1\noom_kill 3\n")
    (group / "memory.max").write_text("1024\n")
    (group / "memory.peak").write_text("1000\n")

    found = read_counters("berth", "x", root=tmp_path)

    assert found == MemoryCounters(kills=3, limit_bytes=1024, peak_bytes=1000)


def test_counters_of_v1_are_summed_over_the_groups_below(tmp_path: Path) -> None:
    group = tmp_path / "memory/lxc.payload.berth_x"
    (group / "system.slice").mkdir(parents=True)
    for folder, kills in ((group, 1), (group / "system.slice", 2)):
        (folder / "memory.oom_control").write_text(f"under_oom 0\noom_kill {kills}\n")
        (folder / "memory.limit_in_bytes").write_text("1024\n")

    found = read_counters("berth", "x", root=tmp_path)

    assert found == MemoryCounters(kills=3, limit_bytes=1024)


def test_a_container_that_is_gone_has_no_counters(tmp_path: Path) -> None:
    assert read_counters("berth", "x", root=tmp_path) == MemoryCounters()


def test_the_machines_load_and_memory_are_read() -> None:
    health = read_health()

    assert health.load >= 0
    assert health.free_memory_bytes is not None
    assert health.free_memory_bytes > 0
