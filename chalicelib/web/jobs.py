"""A job on its pipeline's page: where it is and why, its timeline, its steps."""

from collections.abc import Mapping
from datetime import datetime

from chalicelib.model import Job, JobState, Outcome, Pipeline
from chalicelib.web.cursor import Follow, OutputState
from chalicelib.web.excerpt import Excerpt
from chalicelib.web.html import Html, el, join
from chalicelib.web.labels import badge, duration, job_label
from chalicelib.web.steps import StepOutput, follow, log_link, render_output, step_block, step_count
from chalicelib.web.timeline import timeline
from chalicelib.web.views import JobView

__all__ = ["job_head", "job_section", "reason_note", "rendered_outputs"]

Excerpts = Mapping[tuple[str, int], Excerpt]

_EXPLAINED = {
    Outcome.INFRASTRUCTURE: "This is not a failed test: the machine or the service around the job "
    "gave up, and no attempts were left.",
    Outcome.TIMED_OUT: "The job reached its time limit.",
    Outcome.SUPERSEDED: "A newer push made this one unnecessary.",
}


def rendered_outputs(
    view: JobView, excerpts: Excerpts, before: Follow | None = None
) -> dict[int, StepOutput]:
    """Return the markup of each step's output; that of `before`'s step goes on where it left off."""
    outputs = {}
    for step in sorted({chunk.step for chunk in view.output}):
        state = before.state if before is not None and before.step == step else OutputState()
        excerpt = excerpts[view.job.id, step]
        outputs[step] = render_output(excerpt, state, log_link=log_link(view.job, step))
    return outputs


def job_section(
    pipeline: Pipeline, view: JobView, excerpts: Excerpts, now: datetime
) -> tuple[Html, Follow]:
    """Return the whole section of a job, and where its reader then is."""
    outputs = rendered_outputs(view, excerpts)
    steps = [
        step_block(view, index, outputs.get(index, StepOutput()), now)
        for index in range(step_count(view))
    ]
    heading = f"job-{view.job.id}-name"
    section = el(
        "section",
        el("div", job_head(pipeline, view, now), class_="job-head"),
        el("div", steps, class_="steps") if steps else None,
        class_="job card",
        id=f"job-{view.job.id}",
        aria_labelledby=heading,
    )
    return section, follow(view, outputs, None)


def job_head(pipeline: Pipeline, view: JobView, now: datetime) -> Html:
    """Return what stands above the steps. It changes while the job runs; the steps' logs grow."""
    job = view.job
    return join(
        el(
            "div",
            el("h2", job.name, id=f"job-{job.id}-name"),
            badge(job_label(job)),
            el("span", _facts(job, now), class_="facts"),
            class_="job-title",
        ),
        _why(job, view.waits),
        timeline(pipeline, view, now),
    )


def reason_note(outcome: Outcome, reason: str, *, explain: bool = True) -> Html | None:
    """Return why something ended as it did, where that needs saying; `explain` says what it means."""
    explanation = _EXPLAINED.get(outcome) if explain else None
    if outcome is Outcome.SUCCEEDED or not (reason or explanation):
        return None
    tone = {Outcome.INFRASTRUCTURE: "infra", Outcome.FAILED: "bad", Outcome.TIMED_OUT: "time"}
    return el(
        "div",
        el("p", reason, class_="reason") if reason else None,
        el("p", explanation) if explanation else None,
        class_=f"note {tone.get(outcome, 'stop')}",
    )


def _facts(job: Job, now: datetime) -> list[str]:
    facts = []
    if job.fence:
        facts.append(f"attempt {job.fence}")
    if job.host:
        facts.append(f"on {job.host}")
    started, ended = job.hops.get("started") or job.hops.get("bound"), job.hops.get("finished")
    if started and (ended or job.live):
        facts.append(duration((ended or now) - started))
    return [" · ".join(facts)]


def _why(job: Job, waits: str) -> Html | None:
    if job.outcome is not None:
        return reason_note(job.outcome, job.reason)
    if job.state is JobState.WAITING:
        waits = waits or "other jobs of this pipeline have to succeed first"
    lost = f"The attempt before this one was lost: {job.reason}." if job.reason else ""
    sentences = [el("p", "Waits: ", waits)] if waits else []
    sentences += [el("p", lost)] if lost else []
    return el("div", sentences, class_="note idle") if sentences else None
