import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.supervisor.processes import StepProcesses, boot_ticks, payload_cgroup
from tests.supervisor.conftest import Rig

_LATER = 1 << 60


@pytest.fixture
def cgroup(tree_rig: Rig) -> Path:
    assert tree_rig.lxd.cgroup is not None
    return tree_rig.lxd.cgroup


@pytest.fixture
def service(cgroup: Path) -> Iterator[Path]:
    path = cgroup / "system.slice"
    path.mkdir()
    yield path
    path.rmdir()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "600"], env={"BERTH_STEP": "j-1-0"})
    yield process
    process.kill()
    process.wait()


def _enter(process: subprocess.Popen[bytes], cgroup: Path) -> None:
    (cgroup / "cgroup.procs").write_text(str(process.pid))


def test_a_process_outside_the_container_is_never_the_steps(
    sleeper: subprocess.Popen[bytes],
) -> None:
    processes = StepProcesses(payload_cgroup("test", "none"), "j-1-0", 0)

    assert not processes.owns(sleeper.pid)


def test_the_marker_or_the_start_time_makes_it_the_steps(
    cgroup: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    _enter(sleeper, cgroup)

    assert StepProcesses(cgroup.name, "j-1-0", _LATER).owns(sleeper.pid)
    assert StepProcesses(cgroup.name, "another-1-0", 0).owns(sleeper.pid)
    assert not StepProcesses(cgroup.name, "another-1-0", _LATER).owns(sleeper.pid)


def test_what_another_step_of_the_attempt_left_is_not_this_steps(
    cgroup: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    _enter(sleeper, cgroup)

    assert not StepProcesses(cgroup.name, "j-1-1", 0).owns(sleeper.pid)


def test_a_service_of_the_container_is_left_alone_unless_marked(
    service: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    _enter(sleeper, service)
    cgroup = service.parent.name

    assert not StepProcesses(cgroup, "another-1-0", 0).owns(sleeper.pid)
    assert StepProcesses(cgroup, "j-1-0", _LATER).owns(sleeper.pid)
    assert sleeper.pid in set(StepProcesses(cgroup, "another-1-0", 0).neighbours())
    sleeper.kill()
    sleeper.wait()


def test_a_container_whose_name_begins_the_same_is_another(
    cgroup: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    _enter(sleeper, cgroup)

    assert not StepProcesses(cgroup.name[:-1], "j-1-0", 0).owns(sleeper.pid)


def test_kill_waits_for_those_that_obey_and_returns_when_none_is_left(
    cgroup: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    _enter(sleeper, cgroup)
    processes = StepProcesses(cgroup.name, "j-1-0", boot_ticks())

    assert processes.kill()

    assert sleeper.wait() == -15
    assert list(processes.pids()) == []
