"""What a real host says of attempts that really ran out of memory or of disk."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.clock import Clock, ManualClock, SystemClock
from chalicelib.fleet.cgroups import Owner
from chalicelib.fleet.diagnosis import MemoryFindings
from chalicelib.fleet.kernel_log import KernelLog
from chalicelib.fleet.lxd import LxdHost
from chalicelib.fleet.machine import read_counters
from chalicelib.model import container_name
from tests.fleet.plans import LIMITS, plan_of
from tests.fleet.stand_in import stand_in
from tests.fleet.test_machine import fill, small_disk, use_up_inodes
from tests.lxd_site import LxdSite

pytestmark = [pytest.mark.lxd, pytest.mark.timeout(300)]

JOB = "oomoomoomoomoomo"
SMALL = replace(LIMITS, memory_mib=64)
TOO_MUCH = ("python3", "-c", "x = bytearray(200 << 20)")
HostMaker = Callable[..., LxdHost]


@pytest.fixture
def make_host(lxd: LxdSite, tmp_path: Path) -> Iterator[HostMaker]:
    """A function that returns a driver; what it made is removed afterwards."""
    made = []

    def make(*, state_dir: Path = tmp_path / "state", clock: Clock | None = None) -> LxdHost:
        host = LxdHost(
            host="host-1",
            socket=lxd.facts.socket,
            project=lxd.facts.project,
            state_dir=str(state_dir),
            supervisor=stand_in(),
            clock=clock,
        )
        made.append(host)
        return host

    yield make
    for job, fence in made[0].attempts():
        made[0].remove_attempt(job, fence)


def test_process_limit_and_peak_of_a_real_kill_are_named(
    lxd: LxdSite, make_host: HostMaker
) -> None:
    """By the kernel's log while the container is there and after it; without it by the counters."""
    host = make_host()
    plan = replace(plan_of(JOB, 1), limits=SMALL)
    host.make_container(plan)
    host.start_supervisor(plan)
    name = container_name(JOB, 1)
    owner = Owner(project=lxd.facts.project, container=name, job=JOB, fence=1)

    healthy = host.diagnose(JOB, 1).sentence
    status, _ = lxd.run(name, *TOO_MUCH)
    running = host.diagnose(JOB, 1)
    counters = read_counters(lxd.facts.project, name)
    host.remove_attempt(JOB, 1)
    gone = host.diagnose(JOB, 1)
    of_a_result = host.killed_in(JOB, 1)

    said = "the kernel killed python3 in it for want of memory: limit 64 MiB, peak 64 MiB, its own "
    assert healthy == ""
    assert status == 128 + 9
    assert running.sentence.startswith(said)
    assert (running.lost, gone.lost) == (False, True)
    assert gone.sentence.startswith(f"its supervisor is gone; its container is gone; {said}")
    assert of_a_result.startswith(said)
    counted = MemoryFindings.of(
        KernelLog(), counters, owner=owner, supervisor=None, since=timedelta(0)
    )
    assert counted.inside is not None
    assert counted.inside.sentence() == (
        "the kernel killed a process in it for want of memory: limit 64 MiB, peak 64 MiB"
    )


def test_a_later_attempt_is_not_told_of_the_kill_of_an_earlier_one(
    lxd: LxdSite, make_host: HostMaker
) -> None:
    host = make_host()
    plan = replace(plan_of(JOB, 2), limits=SMALL)
    host.make_container(plan)
    lxd.run(container_name(JOB, 2), *TOO_MUCH)
    host.remove_attempt(JOB, 2)

    host.make_container(plan_of(JOB, 3))
    host.start_supervisor(plan_of(JOB, 3))

    assert host.diagnose(JOB, 3).sentence == ""


def test_a_real_full_disk_is_in_the_diagnosis(make_host: HostMaker, tmp_path: Path) -> None:
    with small_disk(tmp_path, inodes=64) as disk:
        host = make_host(state_dir=disk)
        fill(disk)

        said = host.diagnose(JOB, 9).sentence

    assert "the host's disk is full: 0 bytes of " in said
    assert "are free for the attempts' files" in said


def test_a_disk_without_inodes_is_in_the_diagnosis(make_host: HostMaker, tmp_path: Path) -> None:
    with small_disk(tmp_path, inodes=32) as disk:
        host = make_host(state_dir=disk)
        use_up_inodes(disk)

        said = host.diagnose(JOB, 9).sentence

    assert "the host's disk is out of inodes: 0 of 32 are free for the attempts' files" in said


def test_a_hosts_health_holds_its_pool_its_lxd_and_its_clock(make_host: HostMaker) -> None:
    health = make_host().health()

    assert [room.what for room in health.rooms] == ["the attempts' files", "its containers"]
    assert all(room.free_bytes > 0 for room in health.rooms)
    assert (health.lxd.api_version, health.lxd.error) == ("1.0", "")
    assert health.lxd.version
    assert health.clock_skew == timedelta(0)


def test_a_clock_that_differs_from_ours_is_named(make_host: HostMaker) -> None:
    ahead = ManualClock(SystemClock().now() + timedelta(minutes=2))

    health = make_host(clock=ahead).health()

    assert timedelta(seconds=115) < -health.clock_skew <= timedelta(seconds=120)
    assert "the host's clock is 1" in health.sentence()


def test_an_lxd_that_does_not_answer_is_in_the_health(tmp_path: Path) -> None:
    host = LxdHost(
        host="host-9",
        socket=str(tmp_path / "none.socket"),
        project="berth",
        state_dir=str(tmp_path),
        supervisor=b"",
    )

    assert "its LXD does not answer: " in host.health().sentence()
