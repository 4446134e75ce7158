"""One suite for every record of pipelines."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.errors import PayloadError
from chalicelib.model import (
    CheckoutStep,
    JobRef,
    JobSpec,
    Outcome,
    Pipeline,
    PipelineState,
    RunStep,
    Source,
)
from chalicelib.queue.protocol import PipelinePage, PipelineStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SOURCE = Source(
    repository="acme/shop",
    repository_id="42",
    clone_url="https://github.com/acme/shop.git",
    sha="c0ffee",
    ref="refs/heads/main",
    before="beef",
    title="Sell more 🛒",
    author="mia",
)
SPEC = JobSpec(
    name="test",
    steps=(CheckoutStep(), RunStep(name="tests", command="make test", environment={"A": "é"})),
    environment={"CI": "true"},
)


def at(seconds: float) -> datetime:
    """Return that many seconds after the tests begin."""
    return NOW + timedelta(seconds=seconds)


def received(letter: str, *, seconds: float = 0) -> Pipeline:
    """Return a new pipeline whose id is the letter sixteen times."""
    return Pipeline(
        id=letter * 16,
        tenant="acme",
        event="push",
        source=SOURCE,
        delivery=f"guid-{letter}",
        received_at=at(seconds),
    )


def put(pipelines: PipelineStore, letters: str) -> None:
    """Store a pipeline for each letter, a second apart."""
    for n, letter in enumerate(letters):
        pipelines.put_pipeline(received(letter, seconds=n))


def end(
    pipelines: PipelineStore,
    letter: str,
    *,
    seen: PipelineState = PipelineState.RECEIVED,
    reason: str = "",
    now: datetime,
) -> bool:
    """End the letter's pipeline as failed."""
    return pipelines.end_pipeline(
        letter * 16, seen=seen, outcome=Outcome.FAILED, reason=reason, now=now
    )


def opened(
    pipelines: PipelineStore, *, before: datetime, since: datetime | None = None, limit: int = 25
) -> str:
    """Return the letters of open pipelines in order."""
    found = pipelines.open_pipelines(before=before, since=since, limit=limit)
    return "".join(each.id[0] for each in found)


def shown(page: PipelinePage) -> str:
    """Return the letters on a page."""
    return "".join(pipeline.id[0] for pipeline in page.pipelines)


def test_a_stored_pipeline_is_read_back_whole(pipelines: PipelineStore) -> None:
    asked = replace(received("a"), rerun=2, only_job="test")

    assert pipelines.put_pipeline(asked)

    assert pipelines.get_pipeline(asked.id) == asked
    assert pipelines.get_pipeline("x" * 16) is None


def test_a_pipeline_is_stored_once_whoever_delivers_it(pipelines: PipelineStore) -> None:
    pipelines.put_pipeline(received("a"))

    assert not pipelines.put_pipeline(received("a"))
    assert not pipelines.put_pipeline(replace(received("a", seconds=9), delivery="redelivered"))
    assert pipelines.get_pipeline("a" * 16) == received("a")


def test_planning_happens_once_and_keeps_the_first_jobs(pipelines: PipelineStore) -> None:
    put(pipelines, "a")
    jobs = (JobRef(id="j" * 16, name="lint"), JobRef(id="k" * 16, name="test"))

    assert pipelines.mark_planned("a" * 16, jobs=jobs, now=at(5))
    assert not pipelines.mark_planned("a" * 16, jobs=(), now=at(6))

    planned = replace(received("a"), state=PipelineState.PLANNED, jobs=jobs, planned_at=at(5))
    assert pipelines.get_pipeline("a" * 16) == planned


def test_an_ended_pipeline_keeps_its_outcome(pipelines: PipelineStore) -> None:
    put(pipelines, "a")

    assert end(pipelines, "a", reason="line 3", now=at(7))
    assert not end(pipelines, "a", now=at(8))
    assert not end(pipelines, "a", seen=PipelineState.ENDED, now=at(8))
    assert not pipelines.mark_planned("a" * 16, jobs=(), now=at(9))

    ended = replace(
        received("a"),
        state=PipelineState.ENDED,
        outcome=Outcome.FAILED,
        reason="line 3",
        ended_at=at(7),
    )
    assert pipelines.get_pipeline("a" * 16) == ended


def test_nothing_can_be_done_to_an_unknown_pipeline(pipelines: PipelineStore) -> None:
    assert not pipelines.mark_planned("x" * 16, jobs=(), now=NOW)
    assert not end(pipelines, "x", now=NOW)
    assert pipelines.get_pipeline("x" * 16) is None
    assert pipelines.list_pipelines().pipelines == ()


def test_a_pipeline_is_open_until_it_ends(pipelines: PipelineStore) -> None:
    """Whoever is killed on the way of a pipeline, the sweeper finds it here."""
    put(pipelines, "abc")
    pipelines.mark_planned("a" * 16, jobs=(), now=at(5))
    end(pipelines, "c", now=at(6))

    found = pipelines.open_pipelines(before=at(60))

    assert [(each.id[0], each.state) for each in found] == [
        ("a", PipelineState.PLANNED),
        ("b", PipelineState.RECEIVED),
    ]


def test_open_pipelines_are_read_by_age_oldest_first(pipelines: PipelineStore) -> None:
    put(pipelines, "abcd")

    assert opened(pipelines, before=at(2)) == "ab"
    assert opened(pipelines, before=at(60), limit=1) == "a"
    assert opened(pipelines, since=at(1), before=at(3)) == "bc"


def test_pipelines_are_listed_newest_first_planned_or_not(pipelines: PipelineStore) -> None:
    put(pipelines, "abcd")
    for letter in "bd":
        pipelines.mark_planned(letter * 16, jobs=(), now=at(5))
    end(pipelines, "d", seen=PipelineState.PLANNED, now=at(6))

    page = pipelines.list_pipelines()

    assert shown(page) == "dcba"
    assert page.next is None


def test_pages_join_without_gap_or_overlap_while_pipelines_come_and_move(
    pipelines: PipelineStore,
) -> None:
    put(pipelines, "abcdefg")
    first = pipelines.list_pipelines(limit=3)
    pipelines.put_pipeline(received("z", seconds=100))
    end(pipelines, "d", now=at(9))

    second = pipelines.list_pipelines(limit=3, cursor=first.next)
    third = pipelines.list_pipelines(limit=3, cursor=second.next)

    assert (shown(first), shown(second), shown(third)) == ("gfe", "dcb", "a")
    assert third.next is None


def test_a_full_last_page_has_no_next(pipelines: PipelineStore) -> None:
    put(pipelines, "abc")

    assert pipelines.list_pipelines(limit=3).next is None
    assert shown(pipelines.list_pipelines(limit=0)) == "c"


@pytest.mark.parametrize(
    "cursor",
    ["x", "=", "e30=", "W10=", "bnVsbA==", "eyJ2IjoxLCJvIjoxfQ==", "é", "A" * 500, "../etc"],
)
def test_a_forged_cursor_is_refused(pipelines: PipelineStore, cursor: str) -> None:
    with pytest.raises(PayloadError):
        pipelines.list_pipelines(cursor=cursor)


def test_specs_are_read_back_whole_and_may_be_put_again(pipelines: PipelineStore) -> None:
    specs = {f"{number:016d}": replace(SPEC, name=f"job {number}") for number in range(30)}

    pipelines.put_specs("p" * 16, specs)
    pipelines.put_specs("p" * 16, specs)

    assert {job: pipelines.get_spec(job) for job in specs} == specs
    assert pipelines.get_spec("x" * 16) is None


def test_a_job_leads_to_its_pipeline_before_it_has_an_item(pipelines: PipelineStore) -> None:
    pipelines.put_specs("p" * 16, {"j" * 16: SPEC})

    assert pipelines.pipeline_of("j" * 16) == "p" * 16
    assert pipelines.pipeline_of("x" * 16) is None


def test_the_needs_of_jobs_are_kept(pipelines: PipelineStore) -> None:
    put(pipelines, "a")
    lint, unit = JobRef(id="l" * 16, name="lint"), JobRef(id="u" * 16, name="unit")
    deploy = JobRef(id="d" * 16, name="deploy", needs=(unit.id, lint.id))

    pipelines.mark_planned("a" * 16, jobs=(deploy, lint, unit), now=at(5))

    planned = pipelines.get_pipeline("a" * 16)
    assert planned is not None
    assert planned.jobs == (deploy, lint, unit)


def test_a_pipeline_ends_only_from_the_state_that_was_seen(pipelines: PipelineStore) -> None:
    """Ended as RECEIVED it has no jobs; planned meanwhile it has some, which must not run on alone."""
    put(pipelines, "a")
    pipelines.mark_planned("a" * 16, jobs=(), now=at(5))

    assert not end(pipelines, "a", seen=PipelineState.RECEIVED, now=at(6))
    assert end(pipelines, "a", seen=PipelineState.PLANNED, now=at(6))
