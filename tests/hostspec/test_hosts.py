"""Applying to a real machine, this one: what fails, is cut short, has to wait, or comes twice."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.clock import SystemClock
from chalicelib.errors import (
    CommandTimeoutError,
    HostBusyError,
    HostSpecError,
    ResourceFailedError,
)
from chalicelib.hostspec import Operation, ResourceOutcome, Spec, apply, audit
from chalicelib.hostspec.plan import OWED_FOLDER, owed_mark
from chalicelib.hostspec.resources import File
from chalicelib.shell import (
    Node,
    Secret,
    append_to,
    background,
    command,
    duplicate,
    exists,
    exit_,
    print_text,
    println,
    q,
    redirect,
    subshell,
    until,
)
from chalicelib.transport import AsUser, Trace, Traced, Transport
from tests.hostspec.life import apply_well
from tests.hostspec.steps import Step


def _outcomes(outcomes: tuple[ResourceOutcome, ...]) -> dict[str, str]:
    return {each.name: each.outcome.value for each in outcomes}


def _until_there(path: Path) -> Node:
    return until(exists(str(path)), q("sleep 0.02"))


def test_looking_changes_nothing_and_is_one_round_trip(here: Transport, tmp_path: Path) -> None:
    calls: list[Trace] = []
    traced = Traced(here, calls.append, clock=SystemClock())

    plan = audit(Spec(*(File(path=f"{tmp_path}/{n}") for n in range(9))), traced)

    assert len(plan.work) == 9
    assert not list(tmp_path.iterdir())
    assert len([each for each in calls if each.exit_status is not None]) == 1


def test_an_apply_is_two_round_trips_and_one_with_nothing_to_do(
    here: Transport, tmp_path: Path
) -> None:
    calls: list[Trace] = []
    traced = Traced(here, calls.append, clock=SystemClock())
    spec = Spec(*(File(path=f"{tmp_path}/{n}") for n in range(9)))

    for trips in (2, 1):
        calls.clear()
        assert apply(spec, traced).ok
        assert len([each for each in calls if each.exit_status is not None]) == trips


def test_a_failure_stops_what_depends_on_it_and_nothing_else(
    here: Transport, tmp_path: Path
) -> None:
    bad = Step(path=f"{tmp_path}/bad", first=(exit_(7),))
    spec = Spec(
        bad,
        Step(path=f"{tmp_path}/after", needs=("step bad",)),
        Step(path=f"{tmp_path}/last", needs=("step after",)),
        Step(path=f"{tmp_path}/other"),
    )

    report = apply(spec, here)

    assert _outcomes(report.outcomes) == {
        "step bad": "failed",
        "step after": "skipped",
        "step last": "skipped",
        "step other": "done",
    }
    assert report.outcomes[2].because == ("step bad",)
    assert {path.name for path in tmp_path.iterdir()} == {"other"}


def test_what_is_stopped_is_stopped_through_what_needed_nothing(
    here: Transport, tmp_path: Path
) -> None:
    """The one between is as it should be; what depends on it still waits for the one before."""
    (tmp_path / "between").touch()
    spec = Spec(
        Step(path=f"{tmp_path}/bad", first=(exit_(1),)),
        Step(path=f"{tmp_path}/between", needs=("step bad",)),
        Step(path=f"{tmp_path}/last", needs=("step between",)),
    )

    report = apply(spec, here)

    assert [each.outcome.value for each in report.outcomes] == ["failed", "unchanged", "skipped"]


def test_a_failure_names_resource_command_status_and_last_words(
    here: Transport, tmp_path: Path
) -> None:
    said = redirect(command("sh", "-c", "seq 100; echo why >&2; exit 3"), duplicate(2, 2))
    login = command("true", Secret("swordfish"))
    spec = Spec(Step(path=f"{tmp_path}/bad", first=(login, said)))

    with pytest.raises(ResourceFailedError) as caught:
        apply(spec, here).check()

    error = caught.value
    assert (error.host, error.resource, error.exit_status) == (here.host, "step bad", 3)
    assert error.command.startswith("sh -c")
    assert error.stdout.decode().splitlines()[-2:] == ["100", "why"]
    assert "step bad: exit status 3" in str(error)
    assert "why" in str(error)


def test_a_secret_of_a_failed_command_is_stars(here: Transport, tmp_path: Path) -> None:
    failing = command("test", Secret("swordfish"), "=", "marlin")

    outcome = apply(Spec(Step(path=f"{tmp_path}/bad", first=(failing,))), here).outcomes[0]

    assert outcome.command == "test '***' = marlin"


def test_each_outcome_is_told_as_it_happens(here: Transport, tmp_path: Path) -> None:
    """The second resource waits for a file that is made when the first is told of."""
    spec = Spec(
        Step(path=f"{tmp_path}/one"),
        Step(path=f"{tmp_path}/two", first=(_until_there(tmp_path / "told"),)),
    )

    apply_done = apply(
        spec,
        here,
        on_outcome=lambda told: (tmp_path / "told").touch() if told.name == "step one" else None,
        limit=timedelta(seconds=50),
    )

    assert apply_done.ok


def test_an_apply_that_is_cut_short_is_finished_by_the_next(
    here: Transport, tmp_path: Path
) -> None:
    wait = _until_there(tmp_path / "never")
    one, three = Step(path=f"{tmp_path}/one"), Step(path=f"{tmp_path}/three")
    told: list[ResourceOutcome] = []

    with pytest.raises(CommandTimeoutError):
        apply(
            Spec(one, Step(path=f"{tmp_path}/two", first=(wait,)), three),
            here,
            on_outcome=told.append,
            limit=timedelta(seconds=1),
        )
    assert [each.name for each in told] == ["step one"]

    report = apply(Spec(one, Step(path=f"{tmp_path}/two"), three), here)
    assert [each.outcome.value for each in report.outcomes] == ["unchanged", "done", "done"]


def test_a_script_that_is_killed_says_what_it_did_not_come_to(
    here: Transport, tmp_path: Path
) -> None:
    """As when the host runs out of memory: no frame tells the end."""
    kill = command("sh", "-c", "kill -9 $(ps -o ppid= -p $PPID)")
    spec = Spec(
        Step(path=f"{tmp_path}/one"),
        Step(path=f"{tmp_path}/two", first=(print_text("dying"), kill, q("sleep 2"))),
        Step(path=f"{tmp_path}/three", needs=("step two",)),
    )

    report = apply(spec, here)

    assert [each.outcome.value for each in report.outcomes] == ["done", "failed", "skipped"]
    assert report.outcomes[1].exit_status is None
    assert not report.ok


def test_a_change_is_reacted_to_once_after_all_of_its_causes(
    here: Transport, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    reaction = redirect(println("again"), append_to(str(log)))
    two = (File(path=f"{tmp_path}/a", content="1"), File(path=f"{tmp_path}/b", content="1"))
    names = tuple(each.name for each in two)
    service = Step(path=f"{tmp_path}/service", on_change_of=names, reaction=(reaction,))
    apply_well(here, service, *two)
    log.unlink()

    changed = (File(path=f"{tmp_path}/a", content="2"), File(path=f"{tmp_path}/b", content="2"))
    report = apply(Spec(service, *changed), here)

    assert log.read_text() == "again\n"
    assert report.outcomes[-1].operation is Operation.REACT
    assert report.outcomes[-1].because == names
    assert audit(Spec(service, *changed), here).empty


def test_a_reaction_that_was_not_given_is_owed(here: Transport, tmp_path: Path) -> None:
    """The file is as it should be at the second apply; the service has not seen that yet."""
    ready = tmp_path / "ready"
    service = Step(
        path=f"{tmp_path}/service",
        on_change_of=(f"file {tmp_path}/a",),
        reaction=(command("test", "-e", str(ready)),),
    )
    spec = Spec(service, File(path=f"{tmp_path}/a", content="1"))

    assert [each.outcome.value for each in apply(spec, here).outcomes] == ["done", "failed"]
    again = audit(spec, here)
    assert [each.operation.value for each in again.changes] == ["nothing", "react"]
    ready.touch()
    assert [each.outcome.value for each in apply(spec, here).outcomes] == ["unchanged", "done"]
    assert audit(spec, here).empty
    assert not Path(f"{OWED_FOLDER}/{owed_mark(service.name)}").exists()


@pytest.fixture
def holding(here: Transport, tmp_path: Path) -> Iterator[Path]:
    """Somebody else applies, until the file is made whose path this gives."""
    release, began = tmp_path / "release", tmp_path / "began"
    waiting = (q("touch {began}", began=began), _until_there(release))
    spec = Spec(Step(path=f"{tmp_path}/held", first=waiting))
    thread = threading.Thread(target=lambda: apply(spec, here, owner="ada on laptop"))
    thread.start()
    here.run(_until_there(began), timeout_s=30)
    yield release
    release.touch()
    thread.join()


@pytest.mark.usefixtures("holding")
def test_two_at_once_are_refused_with_who_and_since_when(here: Transport, tmp_path: Path) -> None:
    with pytest.raises(HostBusyError) as caught:
        apply(Spec(Step(path=f"{tmp_path}/mine")), here)

    assert caught.value.owner == "ada on laptop"
    assert timedelta(0) <= caught.value.age < timedelta(minutes=1)
    assert "ada on laptop applies a host spec there since" in str(caught.value)
    assert not (tmp_path / "mine").exists()


def test_one_waits_for_the_other_if_told_to(here: Transport, holding: Path, tmp_path: Path) -> None:
    class Releasing(SystemClock):
        """Lets the other go on when this one begins to wait."""

        def sleep(self, duration: timedelta) -> None:
            holding.touch()
            super().sleep(duration / 20)

    report = apply(
        Spec(Step(path=f"{tmp_path}/mine")),
        here,
        lock_wait=timedelta(seconds=60),
        clock=Releasing(),
    )

    assert report.ok
    assert (tmp_path / "mine").exists()


def test_what_runs_on_in_the_background_holds_no_lock(here: Transport, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    daemon = background(redirect(subshell(_until_there(stop)), append_to(str(tmp_path / "out"))))

    try:
        apply_well(here, Step(path=f"{tmp_path}/daemon", first=(daemon,)))
        apply_well(here, Step(path=f"{tmp_path}/next"))
    finally:
        stop.touch()


def test_who_may_not_change_the_host_is_told(here: Transport, tmp_path: Path) -> None:
    apply_well(here, Step(path=f"{tmp_path}/one"))

    with pytest.raises(HostSpecError, match=r"ended with status \d+: .*[Pp]ermission denied"):
        apply(Spec(Step(path="/no/such/folder/file")), AsUser(here, "nobody"))
