"""The page of one pipeline, whole (`render_pipeline`) and as it goes on (`live_update`)."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from chalicelib.model import Outcome, Pipeline, PipelineState
from chalicelib.web.cursor import LiveCursor
from chalicelib.web.excerpt import excerpts
from chalicelib.web.html import Html, el, join
from chalicelib.web.jobs import (
    Excerpts,
    job_head,
    job_section,
    jobs_in_order,
    reason_note,
    rendered_outputs,
)
from chalicelib.web.labels import (
    ago,
    badge,
    duration,
    pipeline_label,
    place,
    short_sha,
    time_element,
)
from chalicelib.web.layout import page
from chalicelib.web.steps import follow, step_count, step_id, step_summary
from chalicelib.web.views import JobView, PipelineView

__all__ = ["live_update", "render_pipeline"]

_ROOT = "../"
_REFRESH_S = 5
# How ConfigError puts itself into words; the store keeps the sentence.
_CONFIG_ERROR = re.compile(
    r"(?P<file>[^\s:]+\.ya?ml)(?::(?P<line>[0-9]+))?: (?:(?P<key>[^\s:]+): )?(?P<reason>.+)",
    re.DOTALL,
)


def render_pipeline(view: PipelineView, now: datetime) -> str:
    """Return the page at `/pipelines/<id>`. While the pipeline runs it keeps itself up to date.

    Each `JobView.output` is the end of each step's output, as `logs.read_window` loads it.
    """
    pipeline = view.pipeline
    shown = excerpts(view.jobs, continues=False)
    jobs = jobs_in_order(view)
    sections = [job_section(pipeline, job, shown, now) for job in jobs]
    cursor = LiveCursor({job.job.id: where for job, (_, where) in zip(jobs, sections, strict=True)})
    running = not _done(view)
    refresh = el("noscript", el("meta", http_equiv="refresh", content=_REFRESH_S))
    return page(
        title=_title(pipeline),
        root=_ROOT,
        script=running,
        head=refresh if running else None,
        main=el(
            "div",
            el("div", _head(pipeline, now), id="head"),
            el("div", [section for section, _ in sections], id="jobs"),
            el("p", _footnote(running=running), id="live-note", class_="footnote", role="status"),
            class_="pipeline",
            data_live=f"{pipeline.id}/live" if running else None,
            data_next=cursor.encode() if running else None,
        ),
    )


def live_update(view: PipelineView, after: LiveCursor, now: datetime) -> dict[str, Any]:
    """Return what is new since `after`, as JSON for `static/berth.js`.

    For a job whose `after.log_cursor` is a cursor, load `JobView.output` from there with
    `LogStore.read_log`; for any other as for a whole page.

    Shape: `{"title", "head": html, "jobs": [job], "next": cursor, "done": bool,
    "more": bool (ask again at once), "note": text}`; a job is `{"id",
    "html": its whole section}` when the reader does not know its attempt, else `{"id", "head": html,
    "steps": [{"id", "state", "summary": html, "append": html, "tail": html or null}]}`, where "tail"
    replaces the step's incomplete last line.
    """
    known = [job for job in view.jobs if after.log_cursor(job.job) is not None]
    fresh = [job for job in view.jobs if after.log_cursor(job.job) is None]
    shown = {**excerpts(known, continues=True), **excerpts(fresh, continues=False)}
    jobs, follows = [], {}
    for job in jobs_in_order(view):
        update, follows[job.job.id] = (
            _new_job(view.pipeline, job, shown, now)
            if job in fresh
            else _known_job(view.pipeline, job, shown, after, now)
        )
        jobs.append(update)
    return {
        "title": f"{_title(view.pipeline)} · Berth",
        "head": str(_head(view.pipeline, now)),
        "jobs": jobs,
        "next": LiveCursor(follows).encode(),
        "done": _done(view),
        "more": any(job.more for job in view.jobs),
        "note": _footnote(running=not _done(view)),
    }


def _new_job(
    pipeline: Pipeline, job: JobView, shown: Excerpts, now: datetime
) -> tuple[dict[str, Any], Any]:
    section, where = job_section(pipeline, job, shown, now)
    return {"id": f"job-{job.job.id}", "html": str(section)}, where


def _known_job(
    pipeline: Pipeline, job: JobView, shown: Excerpts, after: LiveCursor, now: datetime
) -> tuple[dict[str, Any], Any]:
    before = after.jobs[job.job.id]
    outputs = rendered_outputs(job, shown, before)
    states = {record.index: record.state.value for record in job.steps}
    steps = []
    for index in range(step_count(job)):
        output = outputs.get(index)
        steps.append(
            {
                "id": step_id(job.job, index),
                "state": states.get(index, "waiting"),
                "summary": str(step_summary(job, index, now)),
                "append": str(output.lines) if output else "",
                "tail": str(output.tail) if output else None,
            }
        )
    update = {
        "id": f"job-{job.job.id}",
        "head": str(job_head(pipeline, job, now)),
        "steps": steps,
    }
    return update, follow(job, outputs, before)


def _done(view: PipelineView) -> bool:
    ended = view.pipeline.state is PipelineState.ENDED
    return ended and not any(job.more for job in view.jobs)


def _title(pipeline: Pipeline) -> str:
    return f"{pipeline_label(pipeline).word}: {pipeline.source.title or pipeline.source.sha[:8]}"


def _footnote(*, running: bool) -> str:
    return "This page keeps itself up to date." if running else ""


def _head(pipeline: Pipeline, now: datetime) -> Html:
    source = pipeline.source
    return join(
        el(
            "nav",
            el("ol", el("li", el("a", "Pipelines", href=_ROOT)), el("li", source.repository)),
            aria_label="Breadcrumb",
            class_="crumbs",
        ),
        el(
            "div",
            el("h1", source.title or f"Commit {source.sha[:8]}"),
            badge(pipeline_label(pipeline)),
            class_="page-title",
        ),
        el(
            "dl",
            [_fact(name, value) for name, value in _facts(pipeline, now).items()],
            class_="facts",
        ),
        _why(pipeline),
    )


def _facts(pipeline: Pipeline, now: datetime) -> Mapping[str, Html | str]:
    source = pipeline.source
    facts: dict[str, Html | str] = {
        "Repository": source.repository,
        "Branch" if source.branch else "Ref": el("code", place(source)),
        "Commit": short_sha(source.sha),
    }
    if source.author:
        facts["Author"] = source.author
    if pipeline.failed_of:
        before = quote(pipeline.failed_of, safe="")
        facts["Failed jobs of"] = el("a", pipeline.failed_of, href=before)
    facts["Received"] = time_element(pipeline.received_at, ago(pipeline.received_at, now))
    facts["Duration"] = duration((pipeline.ended_at or now) - pipeline.received_at)
    return facts


def _fact(name: str, value: Html | str) -> Html:
    return el("div", el("dt", name), el("dd", value))


def _why(pipeline: Pipeline) -> Html | None:
    if pipeline.outcome is None:
        if pipeline.state is PipelineState.RECEIVED:
            text = "Waits for its config to be read and compiled into jobs."
            return el("div", el("p", text), class_="note idle")
        return None
    match = _CONFIG_ERROR.fullmatch(pipeline.reason)
    if match and not pipeline.jobs and pipeline.outcome is Outcome.FAILED:
        return _config_error(match.groupdict())
    # What the jobs say is not said twice.
    return reason_note(pipeline.outcome, pipeline.reason, explain=not pipeline.jobs)


def _config_error(found: Mapping[str, str | None]) -> Html:
    where = f"{found['file']}:{found['line']}" if found["line"] else found["file"]
    key = el("div", el("dt", "Key"), el("dd", el("code", found["key"]))) if found["key"] else None
    return el(
        "section",
        el("h2", "The build config cannot be compiled", id="config-error"),
        el("p", found["reason"], class_="reason"),
        el("dl", el("div", el("dt", "Where"), el("dd", el("code", where))), key),
        el("p", "No job was run. Fix the file and push again.", class_="hint"),
        class_="note bad config-error",
        aria_labelledby="config-error",
    )
