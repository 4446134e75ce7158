"""What only real containers can show: isolation, limits, repair."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.clock import SystemClock
from chalicelib.errors import HostUnreachableError
from chalicelib.fleet.lxd import LxdHost
from chalicelib.model import container_name
from tests.fleet.plans import JOB, LIMITS, OTHER, plan_of
from tests.fleet.stand_in import stand_in
from tests.lxd_site import LxdSite

pytestmark = [pytest.mark.lxd, pytest.mark.timeout(300)]

THIRD = "aaaaaaaaaaaaaaaa"
NAME = container_name(JOB, 1)


@pytest.fixture
def make_host(lxd: LxdSite, tmp_path: Path) -> Callable[[], LxdHost]:
    """A function that returns a driver, as another Lambda would build it."""
    return lambda: LxdHost(
        host="host-1",
        socket=lxd.facts.socket,
        project=lxd.facts.project,
        state_dir=str(tmp_path),
        supervisor=stand_in(),
    )


@pytest.fixture
def host(make_host: Callable[[], LxdHost]) -> Iterator[LxdHost]:
    """A host without attempts, cleared afterwards."""
    driver = make_host()
    yield driver
    for job, fence in driver.attempts():
        driver.remove_attempt(job, fence)


def id_range(lxd: LxdSite, container: str) -> range:
    """Return the host's ids of a running container, as its kernel says."""
    status, text = lxd.run(container, "cat", "/proc/self/uid_map")
    assert status == 0
    inside, outside, length = map(int, text.split())
    assert inside == 0
    return range(outside, outside + length)


def settled_state(lxd: LxdSite, container: str) -> str:
    """Return systemd's word for a container's state once it has come up."""
    state = ""
    for _ in range(200):
        _, state = lxd.run(container, "systemctl", "is-system-running")
        if state.strip() in {"running", "degraded", "maintenance"}:
            break
        SystemClock().sleep(timedelta(milliseconds=50))
    return state.strip()


def test_containers_that_run_at_once_share_no_id_with_one_another_or_the_host(
    lxd: LxdSite, host: LxdHost
) -> None:
    """Three, on two golden containers: the third has a range that no golden container has."""
    jobs = (JOB, OTHER, THIRD)
    for job in jobs:
        host.make_container(plan_of(job))

    ranges = sorted((id_range(lxd, container_name(job, 1)) for job in jobs), key=min)

    assert ranges[0].start >= 100_000
    assert all(len(ids) == 65_536 for ids in ranges)
    assert ranges[0].stop <= ranges[1].start
    assert ranges[1].stop <= ranges[2].start


def test_a_containers_files_belong_to_its_own_root(lxd: LxdSite, host: LxdHost) -> None:
    for job in (JOB, OTHER, THIRD):
        host.make_container(plan_of(job))

    for job in (JOB, OTHER, THIRD):
        paths = ("/", "/usr/bin/sudo", "/home/circleci")
        _, owners = lxd.run(container_name(job, 1), "stat", "--format=%U", *paths)
        assert owners.split() == ["root", "root", "circleci"]


def test_limits_are_in_force(lxd: LxdSite, host: LxdHost) -> None:
    host.make_container(plan_of(OTHER, 3))
    name = container_name(OTHER, 3)

    _, cpus = lxd.run(name, "nproc")
    status, _ = lxd.run(name, "python3", "-c", "x = bytearray(400 << 20)")
    _, full = lxd.run(name, "dd", "if=/dev/zero", "of=/var/big", "bs=1M", "count=1100")
    fill = "import os, time\nwhile True:\n    os.fork() or (time.sleep(2), os._exit(0))"
    _, forks = lxd.run(name, "python3", "-c", fill)

    assert int(cpus) == LIMITS.cpus
    assert status == 128 + 9
    assert "quota exceeded" in full
    assert "Resource temporarily unavailable" in forks


def test_who_was_killed_for_memory_is_in_the_diagnosis(lxd: LxdSite, host: LxdHost) -> None:
    plan = plan_of(THIRD, 7)
    host.make_container(plan)
    host.start_supervisor(plan)

    lxd.run(container_name(THIRD, 7), "python3", "-c", "x = bytearray(400 << 20)")

    said = (
        "the kernel killed python3 in it for want of memory: limit 256 MiB, peak 256 MiB, its own "
    )
    assert host.diagnose(THIRD, 7).sentence.startswith(said)


def test_a_stopped_container_is_in_the_diagnosis(lxd: LxdSite, host: LxdHost) -> None:
    host.make_container(plan_of())
    lxd.api.put("instances", NAME, "state", body={"action": "stop", "force": True})

    assert host.diagnose(JOB, 1).sentence == "its supervisor is gone; its container is stopped"


def test_a_container_that_was_left_half_made_is_made_anew(lxd: LxdSite, host: LxdHost) -> None:
    host.make_container(plan_of())
    lxd.run(NAME, "touch", "/var/lib/old")
    lxd.api.put("instances", NAME, "state", body={"action": "stop", "force": True})

    host.make_container(plan_of())

    assert lxd.run(NAME, "test", "-e", "/var/lib/old") == (1, "")


def test_two_lambdas_that_dispatch_one_attempt_make_one_container(
    make_host: Callable[[], LxdHost], host: LxdHost, lxd: LxdSite
) -> None:
    threads = [
        threading.Thread(target=lambda: make_host().make_container(plan_of())) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert host.attempts() == [(JOB, 1)]
    assert lxd.run(NAME, "true") == (0, "")


def test_containers_that_are_made_at_once_get_ranges_of_their_own(
    make_host: Callable[[], LxdHost], host: LxdHost, lxd: LxdSite
) -> None:
    jobs = (JOB, OTHER, THIRD)
    threads = [
        threading.Thread(target=lambda job=job: make_host().make_container(plan_of(job)))
        for job in jobs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ranges = {id_range(lxd, container_name(job, 1)).start for job in jobs}
    assert host.attempts() == sorted((job, 1) for job in jobs)
    assert len(ranges) == len(jobs)


def test_a_container_cannot_reach_lxd(lxd: LxdSite, host: LxdHost) -> None:
    host.make_container(plan_of())

    _, text = lxd.run(NAME, "find", "/dev/lxd", "/var/lib/lxd")

    assert text.count("No such file or directory") == 2


def test_what_is_put_into_a_container_at_once_stays_there(lxd: LxdSite, host: LxdHost) -> None:
    """The supervisor does not wait for systemd, which mounts and cleans while the first step runs."""
    host.make_container(plan_of())
    folders = ("/home/circleci", "/tmp", "/var/lib", "/var/tmp")  # noqa: S108 (the container's own)
    paths = [f"{folder}/early" for folder in folders]
    for path in paths:
        lxd.api.upload("instances", NAME, "files", content=b"x", headers={}, path=path)
    settled_state(lxd, NAME)

    status, text = lxd.run(NAME, "ls", *paths)

    assert (status, text.split()) == (0, paths)


def test_the_whole_system_comes_up(lxd: LxdSite, host: LxdHost) -> None:
    host.make_container(plan_of())

    state = settled_state(lxd, NAME)

    assert state == "running"


def test_the_job_user_is_the_one_that_configs_expect(lxd: LxdSite, host: LxdHost) -> None:
    host.make_container(plan_of())

    _, identity = lxd.run(NAME, "sudo", "-u", "circleci", "id", "-u")
    _, root = lxd.run(NAME, "sudo", "-u", "circleci", "sudo", "-n", "id", "-u")
    _, name = lxd.run(NAME, "hostname")

    assert (identity, root, name) == ("3434\n", "0\n", f"{NAME}\n")


def test_the_container_of_another_project_is_neither_listed_nor_taken(
    lxd: LxdSite, host: LxdHost, tmp_path: Path
) -> None:
    host.make_container(plan_of())
    stranger = LxdHost(
        host="host-2",
        socket=lxd.facts.socket,
        project="default",
        state_dir=str(tmp_path / "stranger"),
        supervisor=b"",
    )

    stranger.remove_attempt(JOB, 1)

    assert (JOB, 1) not in stranger.attempts()
    assert lxd.run(NAME, "true") == (0, "")


def test_a_host_whose_lxd_does_not_answer_is_unreachable(tmp_path: Path) -> None:
    host = LxdHost(
        host="host-9",
        socket=str(tmp_path / "none.socket"),
        project="berth",
        state_dir=str(tmp_path),
        supervisor=b"",
    )

    with pytest.raises(HostUnreachableError) as caught:
        host.make_container(plan_of())

    assert caught.value.host == "host-9"


def test_a_state_folder_that_cannot_be_written_is_an_unreachable_host(
    lxd: LxdSite, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    host = LxdHost(
        host="host-9",
        socket=lxd.facts.socket,
        project=lxd.facts.project,
        state_dir=str(tmp_path / "file"),
        supervisor=b"",
    )

    with pytest.raises(HostUnreachableError):
        host.start_supervisor(plan_of())


def test_a_refused_limit_leaves_no_container(lxd: LxdSite, host: LxdHost) -> None:
    impossible = replace(plan_of(), limits=replace(LIMITS, memory_mib=-1))

    with pytest.raises(HostUnreachableError):
        host.make_container(impossible)

    assert host.attempts() == []
    assert lxd.api.get("instances", NAME) is None
