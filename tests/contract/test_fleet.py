"""What every driver of a host must do: the fake, and real LXD."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.clock import SystemClock
from chalicelib.errors import FenceLostError, ImageMissingError
from chalicelib.fleet.lxd import LxdHost
from chalicelib.fleet.memory import MemoryHost
from chalicelib.fleet.protocol import HostDriver
from tests.fleet.plans import JOB, OTHER, plan_of
from tests.fleet.stand_in import stand_in
from tests.lxd_site import LxdSite

pytestmark = pytest.mark.timeout(300)  # the first one to use LXD may make the image


@pytest.fixture(params=["memory", pytest.param("lxd", marks=pytest.mark.lxd)])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HostDriver]:
    """A host without attempts, cleared afterwards."""
    if request.param == "memory":
        yield MemoryHost()
        return
    site: LxdSite = request.getfixturevalue("lxd")
    driver = LxdHost(
        host="host-1",
        socket=site.facts.socket,
        project=site.facts.project,
        state_dir=str(tmp_path),
        supervisor=stand_in(),
    )
    try:
        yield driver
    finally:
        for job, fence in driver.attempts():
            driver.remove_attempt(job, fence)


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds; fail after 10 s."""
    for _ in range(500):
        if condition():
            return
        SystemClock().sleep(timedelta(milliseconds=20))
    pytest.fail("it never came to be")


def test_a_made_container_is_listed(host: HostDriver) -> None:
    host.make_container(plan_of(JOB, 3))

    assert host.attempts() == [(JOB, 3)]


def test_making_a_container_again_changes_nothing(host: HostDriver) -> None:
    host.make_container(plan_of())

    host.make_container(plan_of())

    assert host.attempts() == [(JOB, 1)]


def test_a_host_without_the_image_says_so(host: HostDriver) -> None:
    with pytest.raises(ImageMissingError) as caught:
        host.make_container(plan_of(image="windows"))

    assert caught.value.image == "windows"
    assert host.attempts() == []


def test_an_older_fence_makes_no_container(host: HostDriver) -> None:
    host.make_container(plan_of(JOB, 2))

    with pytest.raises(FenceLostError):
        host.make_container(plan_of(JOB, 1))

    assert host.attempts() == [(JOB, 2)]


def test_an_older_fence_starts_no_supervisor(host: HostDriver) -> None:
    host.start_supervisor(plan_of(JOB, 2))

    with pytest.raises(FenceLostError):
        host.start_supervisor(plan_of(JOB, 1))

    assert host.attempts() == [(JOB, 2)]


def test_fences_of_two_jobs_are_apart(host: HostDriver) -> None:
    host.start_supervisor(plan_of(JOB, 9))

    host.start_supervisor(plan_of(OTHER, 1))

    assert host.attempts() == [(JOB, 9), (OTHER, 1)]


def test_a_fence_is_remembered_when_its_attempt_is_gone(host: HostDriver) -> None:
    host.start_supervisor(plan_of(JOB, 2))
    host.remove_attempt(JOB, 2)

    with pytest.raises(FenceLostError):
        host.start_supervisor(plan_of(JOB, 1))


def test_a_running_supervisor_can_be_cancelled(host: HostDriver) -> None:
    host.start_supervisor(plan_of())

    cancelled = host.cancel_attempt(JOB, 1)

    assert cancelled
    wait_until(lambda: not host.cancel_attempt(JOB, 1))


def test_an_unknown_attempt_cannot_be_cancelled(host: HostDriver) -> None:
    assert not host.cancel_attempt(JOB, 1)


def test_removing_an_attempt_leaves_nothing(host: HostDriver) -> None:
    host.make_container(plan_of())
    host.start_supervisor(plan_of())

    host.remove_attempt(JOB, 1)

    assert host.attempts() == []
    assert not host.cancel_attempt(JOB, 1)


def test_removing_what_is_gone_is_a_success(host: HostDriver) -> None:
    host.make_container(plan_of())
    host.remove_attempt(JOB, 1)

    host.remove_attempt(JOB, 1)
    host.remove_attempt(OTHER, 7)

    assert host.attempts() == []


def test_removing_an_attempt_leaves_the_jobs_newer_one(host: HostDriver) -> None:
    host.start_supervisor(plan_of(JOB, 1))
    host.start_supervisor(plan_of(JOB, 2))

    host.remove_attempt(JOB, 1)

    assert host.attempts() == [(JOB, 2)]
    assert host.cancel_attempt(JOB, 2)


def test_a_healthy_attempt_has_no_diagnosis(host: HostDriver) -> None:
    host.make_container(plan_of())
    host.start_supervisor(plan_of())

    assert host.diagnose(JOB, 1).sentence == ""


def test_a_diagnosis_names_what_is_gone(host: HostDriver) -> None:
    host.make_container(plan_of())

    assert host.diagnose(JOB, 1).sentence == "its supervisor is gone"
    assert host.diagnose(OTHER, 1).sentence == "its supervisor is gone; its container is gone"


def test_in_a_healthy_attempt_nothing_was_killed(host: HostDriver) -> None:
    host.make_container(plan_of(JOB, 4))

    assert host.killed_in(JOB, 4) == ""
    assert host.killed_in(OTHER, 4) == ""


def test_the_generation_stays_while_the_host_runs(host: HostDriver) -> None:
    assert host.generation()
    assert host.generation() == host.generation()
