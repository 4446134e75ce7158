"""The same supervisor on the real LXD, where the stand-in could be wrong: pipes, cgroups, deletion."""

import subprocess
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.fleet.slots import golden_name
from chalicelib.model import Outcome, RunStep, StepState, When
from tests.lxd_site import LxdSite
from tests.supervisor.conftest import Rig

pytestmark = pytest.mark.lxd


@pytest.fixture
def real(rig: Rig, lxd: LxdSite) -> Iterator[dict[str, Any]]:
    """Return what an attempt must say to run in a real container of its own."""
    name, lxc = rig.lxd.instance, ["lxc", "--project", lxd.api.project]
    golden = golden_name(lxd.api.project, "base", 0)
    subprocess.run([*lxc, "copy", golden, name], check=True)
    subprocess.run([*lxc, "start", name], check=True)
    yield {
        "container": name,
        "lxd_socket": lxd.facts.socket,
        "lxd_project": lxd.api.project,
        "home": "/home/circleci",
        "uid": 3434,
        "gid": 3434,
        "container_dir": "/var/lib/berth",
    }
    subprocess.run([*lxc, "delete", "--force", name], check=False, capture_output=True)


def _states(rig: Rig) -> list[StepState]:
    assert rig.plane.result is not None
    return [step.state for step in rig.plane.result.steps]


def test_steps_run_as_the_user_and_the_container_is_gone(
    rig: Rig, real: dict[str, Any], lxd: LxdSite
) -> None:
    rig.run(
        RunStep(name="who", command="id -un; pwd; echo 'export X=1' >> $BASH_ENV"),
        RunStep(name="count", command="echo $X; seq 200000"),
        **real,
    )

    assert rig.output(0) == "circleci\n/home/circleci/project\n"
    assert rig.output(1) == "1\n" + "".join(f"{number}\n" for number in range(1, 200_001))
    assert lxd.api.get("instances", real["container"]) is None


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


def test_a_cancel_leaves_nothing(rig: Rig, real: dict[str, Any], lxd: LxdSite) -> None:
    rig.write(RunStep(name="forever", command="echo begun; trap '' TERM; sleep 600"), **real)
    supervisor = rig.start()
    rig.plane.wait_until(lambda: rig.plane.chunks.get((0, 0)) == b"begun\n")

    supervisor.terminate()
    rig.wait(supervisor, timeout_s=20)

    assert rig.plane.result is not None
    assert rig.plane.result.outcome is Outcome.CANCELLED
    assert lxd.api.get("instances", real["container"]) is None


@pytest.mark.timeout(120)
def test_a_fork_bomb_ends_and_harms_neither_host_nor_attempt(
    rig: Rig, real: dict[str, Any], lxd: LxdSite
) -> None:
    """It forks faster than anybody signals, and its thousands of pipes look like left output."""
    limit = {"config": {"limits.processes": "1000"}}
    lxd.api.patch("instances", real["container"], body=limit)
    bomb = "bomb() { bomb 2>/dev/null | bomb 2>/dev/null & }; bomb 2>/dev/null; echo lit"

    rig.write(RunStep(name="bomb", command=bomb), **real)
    rig.wait(rig.start(), timeout_s=90)

    assert rig.plane.result is not None
    assert b"lit" in rig.plane.chunks[0, 0]
    assert lxd.api.get("instances", real["container"]) is None
