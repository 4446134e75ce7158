"""The way of an attempt on a host, from the dispatching Lambda's calls to the empty host."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chalicelib.fleet.lxd import LxdHost
from chalicelib.fleet.protocol import AttemptPlan
from chalicelib.model import JobSpec, Outcome, RunStep, Step, container_name
from chalicelib.supervisor.bundle import bundle
from tests.fleet.plans import JOB, plan_of
from tests.lxd_site import LxdSite
from tests.supervisor.control_plane import ControlPlane

pytestmark = [pytest.mark.lxd, pytest.mark.timeout(120)]

EATER = "eatereatereatere"
TICKET = "ticket-of-the-attempt"
NAME = container_name(JOB, 1)


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    """Where the supervisor reports."""
    found = ControlPlane(TICKET)
    yield found
    found.close()


@pytest.fixture
def host(lxd: LxdSite, tmp_path: Path) -> Iterator[LxdHost]:
    """A host with the real supervisor, cleared afterwards."""
    driver = LxdHost(
        host="host-1",
        socket=lxd.facts.socket,
        project=lxd.facts.project,
        state_dir=str(tmp_path),
        supervisor=bundle(),
    )
    yield driver
    for job, fence in driver.attempts():
        driver.remove_attempt(job, fence)


def plan(lxd: LxdSite, plane: ControlPlane, tmp_path: Path, *steps: Step) -> AttemptPlan:
    """Return a plan as the control plane makes it."""
    spec = JobSpec(name="build", steps=steps)
    order = {
        "version": 1,
        "job": JOB,
        "fence": 1,
        "api_url": plane.url,
        "container": NAME,
        "lxd_socket": lxd.facts.socket,
        "lxd_project": lxd.facts.project,
        "repository_cache": str(tmp_path / "cache"),
        "source": {
            "clone_url": "https://example.invalid/o/r.git",
            "repository": "o/r",
            "sha": "0" * 40,
            "ref": "refs/heads/main",
        },
        "steps": spec.to_json()["steps"],
        "working_directory": spec.working_directory,
        "home": "/home/circleci",
        "uid": 3434,
        "gid": 3434,
        "time_limit_s": 60,
        "heartbeat_s": 30,
        "log_limit_bytes": 1024 * 1024,
        "job_name": "build",
        "pipeline": "pipelinepipeline",
    }
    return replace(plan_of(), ticket=TICKET, supervisor=order)


def dispatch(host: LxdHost, attempt: AttemptPlan) -> None:
    """Do what the dispatching Lambda does on the host."""
    host.make_container(attempt)
    host.start_supervisor(attempt)


def test_a_dispatched_attempt_runs_with_network_and_leaves_nothing(
    host: LxdHost, lxd: LxdSite, plane: ControlPlane, tmp_path: Path
) -> None:
    """The first step runs right after the start: nobody waits for systemd."""
    look = "getent hosts _gateway; pip download -q --no-deps six && echo fetched; touch /tmp/kept"
    steps = (
        RunStep(name="first", command=f"id -un; {look}"),
        RunStep(name="second", command="sleep 1; ls /tmp/kept; sudo -n id -un"),
    )

    dispatch(host, plan(lxd, plane, tmp_path, *steps))
    plane.wait_until(lambda: plane.result is not None, timeout_s=60)

    assert plane.result is not None
    assert plane.result.outcome is Outcome.SUCCEEDED, (plane.output(0), plane.output(1))
    assert plane.output(0).splitlines()[0] == b"circleci"
    assert plane.output(0).endswith(b"fetched\n")
    assert plane.output(1) == b"/tmp/kept\nroot\n"
    assert lxd.api.get("instances", NAME) is None


def test_a_failing_step_is_reported_with_its_status(
    host: LxdHost, lxd: LxdSite, plane: ControlPlane, tmp_path: Path
) -> None:
    dispatch(host, plan(lxd, plane, tmp_path, RunStep(name="breaks", command="exit 42")))
    plane.wait_until(lambda: plane.result is not None, timeout_s=60)

    assert plane.result is not None
    assert plane.result.outcome is Outcome.FAILED
    assert plane.result.steps[0].exit_status == 42


def test_a_cancelled_attempt_ends_as_cancelled(
    host: LxdHost, lxd: LxdSite, plane: ControlPlane, tmp_path: Path
) -> None:
    dispatch(host, plan(lxd, plane, tmp_path, RunStep(name="waits", command="echo up; sleep 99")))
    plane.wait_until(lambda: (0, 0) in plane.chunks, timeout_s=60)

    cancelled = host.cancel_attempt(JOB, 1)
    plane.wait_until(lambda: plane.result is not None, timeout_s=60)

    assert cancelled
    assert plane.result is not None
    assert plane.result.outcome is Outcome.CANCELLED
    assert lxd.api.get("instances", NAME) is None


def test_what_was_killed_for_memory_is_known_when_the_result_comes(
    host: LxdHost, lxd: LxdSite, plane: ControlPlane, tmp_path: Path
) -> None:
    """The container is gone by then; the supervisor has seen a status and no more."""
    step = RunStep(name="eats", command="python3 -c 'x = bytearray(400 << 20)'")
    attempt = plan(lxd, plane, tmp_path, step)
    # A job of its own: the kernel's log keeps the kill for whoever asks next for an attempt's name.
    order = {**attempt.supervisor, "job": EATER, "container": container_name(EATER, 1)}
    dispatch(host, replace(attempt, job=EATER, supervisor=order))
    plane.wait_until(lambda: plane.result is not None, timeout_s=60)

    said = host.killed_in(EATER, 1)

    assert plane.result is not None
    assert plane.result.reason == "step 'eats' exited with 137"
    assert lxd.api.get("instances", container_name(EATER, 1)) is None
    assert "killed python3 in it for want of memory: limit 256 MiB, peak 256 MiB" in said


def test_a_killed_supervisor_is_diagnosed_and_cleared(
    host: LxdHost, lxd: LxdSite, plane: ControlPlane, tmp_path: Path
) -> None:
    dispatch(host, plan(lxd, plane, tmp_path, RunStep(name="waits", command="echo up; sleep 99")))
    plane.wait_until(lambda: (0, 0) in plane.chunks, timeout_s=60)
    directory = tmp_path / "attempts" / f"{JOB}-1"
    pid = int((directory / "pid").read_text())
    handle = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PIDFD, handle, os.WEXITED | os.WNOWAIT)
    os.close(handle)

    said = host.diagnose(JOB, 1).sentence
    host.remove_attempt(JOB, 1)

    assert said == "its supervisor is gone"
    assert host.attempts() == []
    assert lxd.api.get("instances", NAME) is None
    assert not directory.exists()
