import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.errors import ConfigError
from chalicelib.model import (
    Job,
    JobState,
    Outcome,
    OutputChunk,
    Pipeline,
    PipelineState,
    StepRecord,
    StepState,
)
from chalicelib.web import JobView, LiveCursor, PipelineView, live_update, render_pipeline

Parse = Callable[[str], Any]

LAMBDA_ANSWER = 6 * 1024 * 1024


def cursor_of(page: Any) -> LiveCursor:
    return LiveCursor.parse(page.one("div", "pipeline").attributes["data-next"])


def ended(pipeline: Pipeline, outcome: Outcome, now: datetime, reason: str = "") -> Pipeline:
    return replace(
        pipeline, state=PipelineState.ENDED, outcome=outcome, ended_at=now, reason=reason
    )


def with_job(view: PipelineView, **changes: Any) -> PipelineView:
    (job_view,) = view.jobs
    return replace(view, jobs=(replace(job_view, **changes),))


def test_the_page_says_what_is_built(view: PipelineView, now: datetime, parse: Parse) -> None:
    page = parse(render_pipeline(view, now))

    assert page.one("h1").text == "Keep berths apart"
    facts = [
        (term.text, value.text) for term, value in zip(page.all("dt"), page.all("dd"), strict=True)
    ]
    assert facts == [
        ("Repository", "harbour/quay"),
        ("Branch", "main"),
        ("Commit", "9f3c2ab4"),
        ("Author", "ada"),
        ("Received", "34 s ago"),
        ("Duration", "34.0 s"),
    ]


def test_each_step_shows_its_state_and_log(view: PipelineView, now: datetime, parse: Parse) -> None:
    page = parse(render_pipeline(view, now))

    summaries = [found.text for found in page.all("summary") if "Times" not in found.text]
    assert summaries == [
        "Checkout codeSucceeded820 ms",
        "Run testsRunning31.0 s",
        "UploadNot started",
    ]
    logs = [log.text for log in page.all("pre", "log")]
    assert logs == ["Cloning\n", "first red\nhalf a li", ""]


def test_steps_that_run_or_failed_are_open(view: PipelineView, now: datetime, parse: Parse) -> None:
    page = parse(render_pipeline(view, now))

    opened = ["open" in step.attributes for step in page.all("details", "step")]
    assert opened == [False, True, False]


def test_the_page_can_be_used_without_seeing_it(
    view: PipelineView, now: datetime, parse: Parse
) -> None:
    page = parse(render_pipeline(view, now))

    assert page.one("html").attributes["lang"] == "en"
    assert len(page.all("main")) == len(page.all("h1")) == 1
    for log in page.all("pre", "log"):
        assert log.attributes["aria-label"]
        assert log.attributes["tabindex"] == "0"
    for heading in page.all("th"):
        assert heading.attributes["scope"] in {"col", "row"}
    labelled = page.one("section", "job").attributes["aria-labelledby"]
    assert page.by_id(labelled).text == "test"
    for drawing in page.all("svg"):
        assert drawing.attributes["aria-hidden"] == "true"


def test_nothing_comes_from_elsewhere(view: PipelineView, now: datetime, parse: Parse) -> None:
    page = parse(render_pipeline(view, now))

    for element in page.elements:
        assert "style" not in element.attributes
        for name in ("href", "src", "action"):
            link = element.attributes.get(name) or ""
            assert not link.startswith("/")
            assert ":" not in link
    assert all(script.attributes.get("src") and not script.text for script in page.all("script"))


def test_a_running_page_refreshes_itself_without_a_script(
    view: PipelineView, now: datetime, parse: Parse
) -> None:
    page = parse(render_pipeline(view, now))

    (refresh,) = [meta for meta in page.all("meta") if meta.attributes.get("http-equiv")]
    assert refresh.attributes["content"] == "5"
    assert "noscript" in refresh.inside


def test_a_finished_page_stands_still(view: PipelineView, now: datetime, parse: Parse) -> None:
    done = replace(view, pipeline=ended(view.pipeline, Outcome.SUCCEEDED, now))

    page = parse(render_pipeline(done, now))

    assert not page.all("script")
    assert not page.all("noscript")
    assert "data-live" not in page.one("div", "pipeline").attributes


def test_a_waiting_job_says_what_it_waits_for(
    view: PipelineView, job: Job, now: datetime, parse: Parse
) -> None:
    pending = replace(job, state=JobState.PENDING, fence=0, host="", hops={})
    waiting = JobView(job=pending, waits="tenant 7 holds 8 of its 8 slots")

    page = parse(render_pipeline(replace(view, jobs=(waiting,)), now))

    assert page.one("div", "note").text == "Waits: tenant 7 holds 8 of its 8 slots"
    assert [found.text for found in page.all("span", "badge")] == ["Running", "Waiting for a slot"]


def test_a_second_attempt_says_what_became_of_the_first(
    view: PipelineView, job: Job, now: datetime, parse: Parse
) -> None:
    again = replace(job, fence=2, reason="no heartbeat for 90 s")

    page = parse(render_pipeline(with_job(view, job=again), now))

    assert "attempt 2" in page.one("span", "facts").text
    assert "no heartbeat for 90 s" in page.one("div", "note").text


def test_infrastructure_is_not_shown_as_a_failed_test(
    view: PipelineView, job: Job, now: datetime, parse: Parse
) -> None:
    lost = replace(
        job, state=JobState.DONE, outcome=Outcome.INFRASTRUCTURE, reason="3 attempts were lost"
    )
    done = replace(
        with_job(view, job=lost), pipeline=ended(view.pipeline, Outcome.INFRASTRUCTURE, now)
    )

    page = parse(render_pipeline(done, now))

    assert {found.text for found in page.all("span", "badge")} == {"Infrastructure"}
    assert "3 attempts were lost" in page.one("div", "note").text
    assert "not a failed test" in page.one("div", "note").text
    assert "Failed" not in page.one("body").text


def test_a_config_error_is_shown_with_file_line_and_key(
    pipeline: Pipeline, now: datetime, parse: Parse
) -> None:
    error = ConfigError(
        file=".circleci/config.yml", line=14, key="jobs.build.docker", reason="not supported: x"
    )
    failed = replace(ended(pipeline, Outcome.FAILED, now, str(error)), jobs=())

    page = parse(render_pipeline(PipelineView(pipeline=failed), now))

    note = page.one("section", "config-error")
    assert "not supported: x" in note.text
    assert ".circleci/config.yml:14" in note.text
    assert "jobs.build.docker" in note.text


def test_another_reason_is_shown_as_it_is(pipeline: Pipeline, now: datetime, parse: Parse) -> None:
    failed = replace(
        ended(pipeline, Outcome.FAILED, now, "GitHub knows no such repository"), jobs=()
    )

    page = parse(render_pipeline(PipelineView(pipeline=failed), now))

    assert page.one("div", "note").text == "GitHub knows no such repository"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(alphabet="<>&\"'a :/\x1b[1m\n") | st.text())
def test_no_text_of_strangers_becomes_markup(
    view: PipelineView, job: Job, now: datetime, parse: Parse, text: str
) -> None:
    source = replace(
        view.pipeline.source, title=text, author=text, repository=text, ref=text, sha=text
    )
    evil = replace(job, name=text, reason=text, host=text)
    steps = (StepRecord(index=0, name=text, state=StepState.FAILED, exit_status=1, detail=text),)
    output = (OutputChunk(step=0, offset=0, data=text.encode("utf-8", "replace") or b"x"),)
    names = (text,)
    stranger = JobView(job=evil, step_names=names, steps=steps, output=output, waits=text)

    page = parse(
        render_pipeline(
            PipelineView(pipeline=replace(view.pipeline, source=source), jobs=(stranger,)), now
        )
    )

    known = {"html", "head", "meta", "title", "link", "script", "noscript", "body", "a", "header"}
    known |= {"img", "span", "main", "div", "nav", "ol", "li", "h1", "h2", "dl", "dt", "dd", "p"}
    known |= {"code", "section", "svg", "circle", "path", "rect", "strong", "details", "summary"}
    known |= {"table", "caption", "thead", "tbody", "tr", "th", "td", "time", "pre"}
    assert {element.tag for element in page.elements} <= known
    assert len(page.all("script")) == 1


def test_the_dearest_logs_fit_the_answer_of_a_lambda(
    view: PipelineView, job: Job, now: datetime
) -> None:
    """The limit counts the JSON around the page, in which each quote and umlaut is escaped again."""
    cell = b"\x1b[1;2;3;4;9;38;5;200;48;5;100mX" + b'\x1b[24m\xc3\xbc\x1b[4m"' * 25_000
    jobs = tuple(
        JobView(
            job=replace(job, id=f"{number}" * 16),
            output=(OutputChunk(step=0, offset=0, data=cell[: 256 * 1024]),),
        )
        for number in range(8)
    )

    page = render_pipeline(replace(view, jobs=jobs), now)

    assert len(json.dumps({"body": page})) < LAMBDA_ANSWER


def test_an_update_brings_only_what_is_new(view: PipelineView, now: datetime, parse: Parse) -> None:
    after = cursor_of(parse(render_pipeline(view, now)))
    new = (OutputChunk(step=1, offset=26, data=b"ne\nnext"),)

    update = live_update(with_job(view, output=new, cursor="1-33"), after, now)

    (job,) = update["jobs"]
    assert "html" not in job
    assert [step["append"] for step in job["steps"]] == ["", "half a line\n", ""]
    assert [step["tail"] for step in job["steps"]] == [None, "next", None]
    assert LiveCursor.parse(update["next"]).jobs[view.jobs[0].job.id].log == "1-33"
    assert not update["done"]


def test_colours_go_on_from_one_update_to_the_next(
    view: PipelineView, now: datetime, parse: Parse
) -> None:
    red = (OutputChunk(step=1, offset=0, data=b"\x1b[31mred\nst"),)
    page = parse(render_pipeline(with_job(view, output=red), now))
    new = (OutputChunk(step=1, offset=11, data=b"ill\n"),)

    update = live_update(with_job(view, output=new), cursor_of(page), now)

    assert update["jobs"][0]["steps"][1]["append"] == '<span class="f1">still</span>\n'


def test_an_update_without_news_keeps_the_readers_place(
    view: PipelineView, now: datetime, parse: Parse
) -> None:
    after = cursor_of(parse(render_pipeline(view, now)))

    update = live_update(with_job(view, output=()), after, now)

    assert all(step["append"] == "" and step["tail"] is None for step in update["jobs"][0]["steps"])
    assert LiveCursor.parse(update["next"]) == after


def test_a_new_attempt_replaces_the_whole_job(
    view: PipelineView, job: Job, now: datetime, parse: Parse
) -> None:
    after = cursor_of(parse(render_pipeline(view, now)))
    again = replace(job, fence=2)

    update = live_update(with_job(view, job=again, output=()), after, now)

    section = parse(update["jobs"][0]["html"])
    assert section.one("section", "job").attributes["id"] == update["jobs"][0]["id"]
    assert LiveCursor.parse(update["next"]).log_cursor(again) is not None


def test_jobs_that_were_planned_meanwhile_are_added(
    view: PipelineView, now: datetime, parse: Parse
) -> None:
    unplanned = replace(view.pipeline, state=PipelineState.RECEIVED, planned_at=None, jobs=())
    after = cursor_of(parse(render_pipeline(PipelineView(pipeline=unplanned), now)))

    update = live_update(view, after, now)

    assert [bool(job["html"]) for job in update["jobs"]] == [True]


@pytest.mark.parametrize(("more", "done"), [(True, False), (False, True)])
def test_an_update_is_the_last_when_all_output_has_been_sent(
    view: PipelineView, now: datetime, *, more: bool, done: bool
) -> None:
    pipeline = ended(view.pipeline, Outcome.SUCCEEDED, now)

    update = live_update(replace(with_job(view, more=more), pipeline=pipeline), LiveCursor(), now)

    assert update["done"] is done
    assert update["more"] is more


def test_an_update_is_plain_json(view: PipelineView, now: datetime) -> None:
    update = live_update(view, LiveCursor(), now)

    assert json.loads(json.dumps(update)) == update


def test_pages_and_updates_together_show_the_log_once(
    view: PipelineView, now: datetime, parse: Parse
) -> None:
    """However the log is cut into a first page and updates, the reader ends up with the same text."""
    text = "".join(
        f"{number} \x1b[3{number % 8}mcolour\x1b[0m\r\n" for number in range(50)
    ).encode()
    cuts = [0, 7, 100, 101, 640, len(text)]
    parts = [
        OutputChunk(step=1, offset=start, data=text[start:end])
        for start, end in itertools.pairwise(cuts)
    ]

    after = cursor_of(parse(render_pipeline(with_job(view, output=tuple(parts[:1])), now)))
    shown = ""
    for part in parts[1:]:
        update = live_update(with_job(view, output=(part,)), after, now + timedelta(seconds=1))
        shown += update["jobs"][0]["steps"][1]["append"]
        after = LiveCursor.parse(update["next"])

    lines = [f'{n} <span class="f{n % 8}">colour</span>\n' for n in range(50)]
    assert shown == "".join(lines)
