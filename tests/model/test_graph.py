"""What may be admitted, what never will run, and what is waited for, by state alone."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model import (
    Job,
    JobRef,
    JobState,
    Outcome,
    advance,
    in_order,
    pipeline_outcome,
    waiting_for,
)

LINT, UNIT = JobRef(id="l", name="lint"), JobRef(id="u", name="unit")
DEPLOY = JobRef(id="d", name="deploy", needs=("l", "u"))
NOTIFY = JobRef(id="n", name="notify", needs=("d",))
REFS = (NOTIFY, DEPLOY, LINT, UNIT)


def job(ref: JobRef, outcome: Outcome | None = None) -> Job:
    """Return the ref's job, RUNNING or ended."""
    state = JobState.RUNNING if outcome is None else JobState.DONE
    return Job(id=ref.id, name=ref.name, pipeline="p", tenant="t", state=state, outcome=outcome)


def jobs(**outcomes: Outcome | None) -> Mapping[str, Job]:
    """Return jobs by id, with their outcomes."""
    return {ref.id: job(ref, outcomes[ref.id]) for ref in REFS if ref.id in outcomes}


def test_jobs_without_needs_are_admitted_at_once() -> None:
    assert advance(REFS, {}).admit == (LINT, UNIT)


def test_a_job_waits_until_all_that_it_needs_has_succeeded() -> None:
    assert advance(REFS, jobs(l=Outcome.SUCCEEDED, u=None)).admit == ()
    assert waiting_for(DEPLOY, jobs(l=Outcome.SUCCEEDED, u=None)) == ("u",)
    assert advance(REFS, jobs(l=Outcome.SUCCEEDED, u=Outcome.SUCCEEDED)).admit == (DEPLOY,)


def test_what_needs_a_failed_job_ends_at_any_distance_and_says_why() -> None:
    found = advance(REFS, jobs(l=None, u=Outcome.FAILED))

    assert found.admit == ()
    assert found.skip == (
        (DEPLOY, Outcome.CANCELLED, "needs unit, which failed"),
        (NOTIFY, Outcome.CANCELLED, "needs deploy, which did not run"),
    )


@pytest.mark.parametrize(
    ("ended", "inherited"),
    [
        (Outcome.SUPERSEDED, Outcome.SUPERSEDED),
        (Outcome.TIMED_OUT, Outcome.CANCELLED),
        (Outcome.INFRASTRUCTURE, Outcome.CANCELLED),
    ],
)
def test_a_skipped_job_is_superseded_only_with_its_need(ended: Outcome, inherited: Outcome) -> None:
    found = advance(REFS, jobs(l=ended, u=None))

    assert [outcome for _, outcome, _ in found.skip] == [inherited, inherited]


def test_a_circle_is_named_in_turn() -> None:
    a = JobRef(id="1", name="a", needs=("2",))
    b = JobRef(id="2", name="b", needs=("3",))
    c = JobRef(id="3", name="c", needs=("2",))

    with pytest.raises(ValueError, match="b needs c needs b"):
        in_order((a, b, c))
    with pytest.raises(ValueError, match="x needs x"):
        in_order((JobRef(id="x", name="x", needs=("x",)),))


@st.composite
def graphs(draw: st.DrawFn) -> tuple[JobRef, ...]:
    """Draw a graph without circles, in any order."""
    count = draw(st.integers(1, 12))
    refs = []
    for number in range(count):
        needs = draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set()
        refs.append(JobRef(id=f"{number}", name=f"j{number}", needs=tuple(map(str, sorted(needs)))))
    return tuple(draw(st.permutations(refs)))


@given(refs=graphs(), data=st.data())
def test_every_graph_ends_whatever_its_jobs_come_to(
    refs: tuple[JobRef, ...], data: st.DataObject
) -> None:
    """Each job is admitted or skipped exactly once, after its needs; then the pipeline has an outcome."""
    there: dict[str, Job] = {}
    while True:
        found = advance(refs, there)
        moved = {ref.id for ref in found.admit} | {ref.id for ref, _, _ in found.skip}
        assert not moved & set(there)
        for ref in found.admit:
            assert all(there[need].outcome is Outcome.SUCCEEDED for need in ref.needs)
        there |= {ref.id: job(ref, outcome) for ref, outcome, _ in found.skip}
        there |= {
            ref.id: job(ref, data.draw(st.sampled_from(list(Outcome)))) for ref in found.admit
        }
        if not moved:
            break

    assert set(there) == {ref.id for ref in refs}
    assert pipeline_outcome([there[ref.id] for ref in refs]) is not None


@given(refs=graphs())
def test_in_order_each_job_comes_after_what_it_needs(refs: tuple[JobRef, ...]) -> None:
    ordered = in_order(refs)

    places = {ref.id: place for place, ref in enumerate(ordered)}
    assert sorted(places) == sorted(ref.id for ref in refs)
    assert all(places[need] < places[ref.id] for ref in refs for need in ref.needs)
