"""Jobs that need each other, on the page of their pipeline."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chalicelib.model import Job, JobRef, JobState, Outcome, Pipeline
from chalicelib.web import JobView, LiveCursor, PipelineView, live_update, render_pipeline
from tests.web.conftest import Page

Parse = Callable[[str], Page]
DEPLOY, BUILD = "d" * 16, "b" * 16


@pytest.fixture
def graph(pipeline: Pipeline, job: Job) -> PipelineView:
    """Return a pipeline whose config lists deploy before build, which deploy needs."""
    refs = (
        JobRef(id=DEPLOY, name="deploy", needs=(BUILD,)),
        JobRef(id=BUILD, name="build"),
    )
    waiting = Job(
        id=DEPLOY, name="deploy", pipeline=pipeline.id, tenant="7", state=JobState.WAITING
    )
    jobs = (
        JobView(job=waiting, waits="needs build (running)", step_names=("Ship",)),
        JobView(job=replace(job, id=BUILD, name="build")),
    )
    return PipelineView(pipeline=replace(pipeline, jobs=refs), jobs=jobs)


def test_a_job_stands_below_those_that_it_needs(
    graph: PipelineView, now: datetime, parse: Parse
) -> None:
    page = parse(render_pipeline(graph, now))

    assert [heading.text for heading in page.all("h2")] == ["build", "deploy"]


def test_an_update_keeps_that_order(graph: PipelineView, now: datetime) -> None:
    update = live_update(graph, LiveCursor(), now)

    assert [job["id"] for job in update["jobs"]] == [f"job-{BUILD}", f"job-{DEPLOY}"]


def test_a_waiting_job_says_what_it_needs_and_links_to_it(
    graph: PipelineView, now: datetime, parse: Parse
) -> None:
    page = parse(render_pipeline(graph, now))

    assert page.one("div", "note").text == "Waits: needs build (running)"
    assert page.one("p", "needs").text == "Needs build"
    assert [link.text for link in page.all("a") if link.attributes["href"] == f"#job-{BUILD}"] == [
        "build"
    ]
    assert "Waiting" in [badge.text for badge in page.all("span", "badge")]


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.CANCELLED, "needs build, which failed"),
        (Outcome.SUPERSEDED, "a newer commit was pushed"),
        (Outcome.TIMED_OUT, "it had not ended after 24 hours"),
    ],
)
def test_a_job_that_never_ran_says_why_and_nothing_else(
    graph: PipelineView, now: datetime, parse: Parse, outcome: Outcome, reason: str
) -> None:
    waiting, build = graph.jobs
    hops = {"finished": now}
    ended = replace(waiting.job, state=JobState.DONE, outcome=outcome, reason=reason, hops=hops)

    page = parse(render_pipeline(replace(graph, jobs=(JobView(job=ended), build)), now))

    assert page.one("div", "note").text == reason


def test_a_job_taken_over_from_the_pipeline_before_leads_there(
    graph: PipelineView, now: datetime, parse: Parse
) -> None:
    """Its hops are older than the re-run, which would show a way of no length."""
    waiting, build = graph.jobs
    before = {name: at - timedelta(hours=1) for name, at in build.job.hops.items()}
    old = replace(
        build.job,
        pipeline="o" * 16,
        state=JobState.DONE,
        outcome=Outcome.SUCCEEDED,
        hops={**before, "finished": now - timedelta(minutes=50)},
    )
    rerun = replace(graph.pipeline, failed_of="o" * 16)

    page = parse(
        render_pipeline(PipelineView(pipeline=rerun, jobs=(waiting, JobView(job=old))), now)
    )

    assert "As it ended in the pipeline before" in [found.text for found in page.all("p", "needs")]
    assert [link.attributes["href"] for link in page.all("a") if "before" in link.text] == [
        "o" * 16
    ]
    assert "received" not in page.all("table")[0].text
