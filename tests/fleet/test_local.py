import json
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.clock import SystemClock
from chalicelib.fleet import local
from chalicelib.fleet.local import Supervisors
from tests.fleet.plans import JOB, plan_of
from tests.fleet.stand_in import stand_in


@pytest.fixture
def supervisors(tmp_path: Path) -> Iterator[Supervisors]:
    """No supervisors yet; those that a test starts are killed after it."""
    found = Supervisors(tmp_path, stand_in(), host="host-1")
    yield found
    for job, fence in found.attempts():
        found.kill(job, fence, timeout_s=10)


def seen_by(supervisors: Supervisors) -> dict[str, Any]:
    """Return what the started supervisor saw, once it has said so."""
    path = supervisors.directory(JOB, 1) / "seen.json"
    for _ in range(500):
        if path.exists():
            seen: dict[str, Any] = json.loads(path.read_text())
            return seen
        SystemClock().sleep(timedelta(milliseconds=20))
    pytest.fail("the supervisor did not start")


def test_a_supervisor_inherits_nothing_but_path_and_language(
    supervisors: Supervisors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    supervisors.start(plan_of())

    environment = seen_by(supervisors)["environment"]
    assert environment.keys() - {"LC_CTYPE"} == {"PATH", "LANG"}


def test_a_supervisor_leads_a_session_of_its_own(supervisors: Supervisors) -> None:
    supervisors.start(plan_of())

    seen = seen_by(supervisors)
    assert seen["session"] == seen["pid"] != os.getsid(0)


def test_only_its_owner_can_read_the_ticket(supervisors: Supervisors) -> None:
    supervisors.start(plan_of())

    directory = supervisors.directory(JOB, 1)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "ticket").stat().st_mode) == 0o600
    assert (directory / "ticket").read_text() == "ticket-1"


def test_the_attempt_is_written_without_its_ticket(supervisors: Supervisors) -> None:
    supervisors.start(plan_of())

    text = (supervisors.directory(JOB, 1) / "attempt.json").read_text()
    assert json.loads(text) == {"version": 1, "job": JOB, "fence": 1}


def test_a_second_start_finds_the_first_and_brings_the_newer_ticket(
    supervisors: Supervisors,
) -> None:
    supervisors.start(plan_of())
    first = seen_by(supervisors)["pid"]

    supervisors.start(replace(plan_of(), ticket="ticket-2"))

    assert (supervisors.directory(JOB, 1) / "ticket").read_text() == "ticket-2"
    assert seen_by(supervisors)["pid"] == first


def test_a_started_supervisor_is_found_at_once(supervisors: Supervisors) -> None:
    """By its command line, which Linux shows empty for a moment: `alive` may look just then."""
    found = []
    for fence in range(1, 31):
        supervisors.start(replace(plan_of(), fence=fence))
        found.append(local._arguments(local._started[-1].pid))
        supervisors.kill(JOB, fence, timeout_s=10)

    assert all(found)


def test_a_supervisor_that_died_is_started_again(supervisors: Supervisors) -> None:
    supervisors.start(plan_of())
    seen_by(supervisors)
    supervisors.kill(JOB, 1, timeout_s=10)
    assert not supervisors.alive(JOB, 1)

    supervisors.start(plan_of())

    assert supervisors.alive(JOB, 1)


def test_a_killed_supervisor_is_gone_at_once(supervisors: Supervisors) -> None:
    supervisors.start(plan_of())

    supervisors.kill(JOB, 1, timeout_s=10)

    assert not supervisors.alive(JOB, 1)


def test_another_program_with_the_directory_as_argument_is_not_a_supervisor(
    supervisors: Supervisors,
) -> None:
    directory = supervisors.directory(JOB, 1)
    directory.mkdir(parents=True)
    stranger = os.posix_spawnp("tail", ["tail", "-f", "/dev/null", str(directory)], {})

    alive = supervisors.alive(JOB, 1)

    os.kill(stranger, 9)
    os.waitpid(stranger, 0)
    assert not alive


def test_the_program_is_put_on_the_host_once(supervisors: Supervisors, tmp_path: Path) -> None:
    supervisors.start(plan_of(fence=1))
    supervisors.start(plan_of(fence=2))

    assert len(list(tmp_path.glob("supervisor-*.pyz"))) == 1


def test_forgetting_an_attempt_twice_is_harmless(supervisors: Supervisors) -> None:
    supervisors.start(plan_of())
    supervisors.kill(JOB, 1, timeout_s=10)

    supervisors.forget(JOB, 1)
    supervisors.forget(JOB, 1)

    assert supervisors.attempts() == []


def test_a_foreign_folder_is_not_an_attempt(supervisors: Supervisors, tmp_path: Path) -> None:
    (tmp_path / "attempts" / "lost+found").mkdir(parents=True)

    assert supervisors.attempts() == []
