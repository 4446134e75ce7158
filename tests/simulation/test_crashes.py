"""Every place where an actor can die in the life of a pipeline, and every pair of places."""

from collections.abc import Iterable

import pytest

from chalicelib.simulation.crash_pairs import CHAIN, ONE_JOB, all_pairs, second_deaths
from chalicelib.simulation.crashes import CrashRun, run_disturbed
from chalicelib.simulation.faults import Fault

_EACH = 17
"""Of the pairs of a chain: all of them take minutes, see `./berth simulate-queue --crash-pairs`."""
_ORDINARY = (
    Fault.LOST,
    Fault.TWICE,
    Fault.CONFLICT,
    Fault.THROTTLE,
    Fault.IN_PROGRESS,
    Fault.FORGOTTEN,
)
_OF_HOSTS = {("make_container",), ("start_supervisor",)}
_KINDS = (Fault.KILL_BEFORE, Fault.KILL_AFTER)


def _told(run: CrashRun, *at: int) -> Iterable[str]:
    return (f"died at {at}: {violation}" for violation in run.violations)


@pytest.mark.parametrize("jobs", [ONE_JOB, CHAIN], ids=["one job", "a chain"])
def test_a_pipeline_without_deaths_takes_one_attempt_for_each_job(jobs: str) -> None:
    run = run_disturbed([], jobs=jobs)

    assert run.violations == ()
    assert run.attempts == 1


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("jobs", [ONE_JOB, CHAIN], ids=["one job", "a chain"])
def test_any_one_death_is_put_right(jobs: str, kind: Fault) -> None:
    calls = run_disturbed([], jobs=jobs).calls

    runs = [(at, run_disturbed([at], jobs=jobs, kind=kind)) for at in range(1, calls + 1)]

    assert [told for at, run in runs for told in _told(run, at)] == []
    assert all(run.disturbed for _, run in runs)
    assert all(run.attempts <= 2 for _, run in runs)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", _ORDINARY)
def test_what_the_store_does_any_day_costs_no_attempt(kind: Fault) -> None:
    """A lost answer above all: what a refused repeat meets may be one's own work (rule 1.4b)."""
    calls = run_disturbed([]).calls

    runs = [(at, run_disturbed([at], kind=kind)) for at in range(1, calls + 1)]

    assert [told for at, run in runs for told in _told(run, at)] == []
    assert {run.disturbed for _, run in runs if run.attempts > 1} <= _OF_HOSTS


@pytest.mark.timeout(120)
def test_who_pauses_while_the_pipeline_is_cancelled_changes_nothing() -> None:
    calls = run_disturbed([]).calls

    runs = [
        (at, run_disturbed([at], kind=Fault.ZOMBIE, cancelled=True)) for at in range(1, calls + 1)
    ]

    assert [told for at, run in runs for told in _told(run, at)] == []


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("jobs", "stride"), [(ONE_JOB, 1), (CHAIN, _EACH)], ids=["one job", "a chain"]
)
def test_any_two_deaths_are_put_right(jobs: str, stride: int) -> None:
    """The second may be that of the sweeper that repairs the first."""
    found = list(all_pairs(jobs=jobs, stride=stride, processes=2))

    assert [told for each in found for told in each.told] == []
    assert all(each.pairs for each in found[: len(found) // 2])


def test_a_stride_takes_every_so_many_of_the_pairs() -> None:
    whole, part = (second_deaths(30, jobs=ONE_JOB, stride=stride) for stride in (1, 20))

    assert part.pairs in {whole.pairs // 20, whole.pairs // 20 + 1}
