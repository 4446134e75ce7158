"""The same supervisor on the real LXD, where the stand-in could be wrong: pipes, cgroups, deletion.

Needs the golden container of the base image, which the local stack makes.
"""

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.model import Outcome, RunStep, StepState, When
from tests.supervisor.conftest import Rig

_PROJECT = "berth"
_GOLDEN = "berth-golden-base"
_SOCKET = "/var/lib/lxd/unix.socket"

pytestmark = [pytest.mark.lxd, pytest.mark.timeout(60)]


def _lxc(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["lxc", "--project", _PROJECT, *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture
def real(rig: Rig) -> Iterator[dict[str, Any]]:
    """Return what an attempt must say to run in a real container of its own."""
    if _lxc("info", _GOLDEN).returncode:
        pytest.skip(f"LXD has no container {_GOLDEN}: run ./berth up")
    name = rig.lxd.instance
    assert _lxc("copy", _GOLDEN, name).returncode == 0
    assert _lxc("start", name).returncode == 0
    yield {
        "container": name,
        "lxd_socket": _SOCKET,
        "lxd_project": _PROJECT,
        "home": "/home/circleci",
        "uid": 3434,
        "gid": 3434,
        "container_dir": "/var/lib/berth",
    }
    _lxc("delete", "--force", name)


def _states(rig: Rig) -> list[StepState]:
    assert rig.plane.result is not None
    return [step.state for step in rig.plane.result.steps]


def test_steps_run_as_the_user_and_the_container_is_gone(rig: Rig, real: dict[str, Any]) -> None:
    rig.run(
        RunStep(name="who", command="id -un; pwd; echo 'export X=1' >> $BASH_ENV"),
        RunStep(name="count", command="echo $X; seq 200000"),
        **real,
    )

    assert rig.output(0) == "circleci\n/home/circleci/project\n"
    assert rig.output(1) == "1\n" + "".join(f"{number}\n" for number in range(1, 200_001))
    assert _lxc("info", real["container"]).returncode != 0


def test_a_server_left_in_the_background_does_not_hold_the_step(
    rig: Rig, real: dict[str, Any]
) -> None:
    rig.run(
        RunStep(name="serve", command="(while sleep 0.1; do echo tick; done) & exit 3"),
        RunStep(name="sleeper", command="sleep 600 &", when=When.ALWAYS),
        RunStep(name="look", command="pgrep -fc 'sleep 600'", when=When.ALWAYS),
        **real,
    )

    assert rig.plane.steps[0].exit_status == 3
    assert _states(rig)[1:] == [StepState.SUCCEEDED, StepState.SUCCEEDED]
    assert rig.output(2) == "1\n"


def test_silence_ends_the_whole_tree_and_nothing_else(rig: Rig, real: dict[str, Any]) -> None:
    escape = "(trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 999' &)"
    rig.run(
        RunStep(name="keep", command="sleep 600 > /dev/null 2>&1 &"),
        RunStep(
            name="hang",
            command=f"echo begun; {escape}; sleep 998",
            no_output_timeout=timedelta(seconds=1),
        ),
        RunStep(name="look", command="pgrep -ax sleep", when=When.ALWAYS),
        **real,
    )

    assert _states(rig) == [StepState.SUCCEEDED, StepState.TIMED_OUT, StepState.SUCCEEDED]
    assert rig.output(2).endswith(" sleep 600\n")
    assert rig.output(2).count("\n") == 1


def test_a_cancel_leaves_nothing(rig: Rig, real: dict[str, Any]) -> None:
    rig.write(RunStep(name="forever", command="echo begun; trap '' TERM; sleep 600"), **real)
    supervisor = rig.start()
    rig.plane.wait_until(lambda: rig.plane.chunks.get((0, 0)) == b"begun\n")

    supervisor.terminate()
    rig.wait(supervisor, timeout_s=20)

    assert rig.plane.result is not None
    assert rig.plane.result.outcome is Outcome.CANCELLED
    assert _lxc("info", real["container"]).returncode != 0
