from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from chalicelib.model import Job, JobState, Outcome, Pipeline, StepRecord
from chalicelib.web import JobView
from chalicelib.web.timeline import hops_of, timeline

Parse = Callable[[str], Any]


def draw(pipeline: Pipeline, job: Job, now: datetime, steps: tuple[StepRecord, ...] = ()) -> str:
    return str(timeline(pipeline, JobView(job=job, steps=steps), now))


def test_each_hop_shows_the_time_it_took(
    pipeline: Pipeline, job: Job, now: datetime, parse: Parse
) -> None:
    page = parse(draw(pipeline, job, now))

    assert [item.text for item in page.all("li")] == [
        "planned 212 ms",
        "admitted 12 ms",
        "ready 1 ms",
        "claimed 9 ms",
        "dispatched 164 ms",
        "bound 690 ms",
        "started 308 ms",
    ]
    assert page.one("p", "pickup").text == "1.4 s from the push to the first step"


def test_the_table_has_the_end_and_every_time(
    pipeline: Pipeline, job: Job, now: datetime, parse: Parse
) -> None:
    finished = job.hops["started"] + timedelta(seconds=61)
    done = replace(
        job,
        state=JobState.DONE,
        outcome=Outcome.SUCCEEDED,
        hops={**job.hops, "finished": finished},
    )

    page = parse(draw(pipeline, done, now))

    rows = [found.text for found in page.all("tr")]
    assert rows[1].startswith("received14:04:56.000")
    assert rows[-1].startswith("finished14:05:58.396+1 min 01 s")
    assert len(rows) == 10


def test_the_bar_fills_its_width_and_hides_no_hop(
    pipeline: Pipeline, job: Job, now: datetime, parse: Parse
) -> None:
    pieces = [found.attributes for found in parse(draw(pipeline, job, now)).all("rect")]

    assert all(float(piece["width"]) >= 6 for piece in pieces)
    assert abs(sum(float(piece["width"]) for piece in pieces) - 1000) < 1


def test_a_waiting_job_shows_the_wait_so_far(
    pipeline: Pipeline, job: Job, now: datetime, parse: Parse
) -> None:
    pending = replace(job, state=JobState.PENDING, hops={"admitted": now - timedelta(seconds=30)})

    page = parse(draw(pipeline, pending, now))

    assert [item.text for item in page.all("li")][-1] == "waiting 30.0 s"
    assert page.one("p", "pickup").text == "34.0 s since the push; admitted so far"


def test_a_host_whose_clock_is_behind_takes_no_negative_time(
    pipeline: Pipeline, job: Job, now: datetime, parse: Parse
) -> None:
    behind = {**job.hops, "started": job.hops["bound"] - timedelta(seconds=5)}

    page = parse(draw(pipeline, replace(job, hops=behind), now))

    assert page.all("li")[-1].text == "started 0 ms"
    assert all(float(found.attributes["width"]) > 0 for found in page.all("rect"))


def test_the_first_step_stands_in_until_its_start_is_stored(
    pipeline: Pipeline, job: Job, steps: tuple[StepRecord, ...]
) -> None:
    hops = {name: at for name, at in job.hops.items() if name != "started"}

    found = hops_of(pipeline, JobView(job=replace(job, hops=hops), steps=steps))

    assert found[-1].name == "started"


def test_there_is_no_timeline_before_the_plan(pipeline: Pipeline, job: Job, now: datetime) -> None:
    view = JobView(job=replace(job, hops={}))

    assert timeline(replace(pipeline, planned_at=None), view, now) is None
