"""A job on its pipeline's page: where it is and why, its timeline, its steps."""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from chalicelib.model import Job, JobState, Outcome, Pipeline, in_order
from chalicelib.web.cursor import Follow, OutputState
from chalicelib.web.excerpt import Excerpt
from chalicelib.web.html import Html, el, join
from chalicelib.web.labels import badge, duration, job_label
from chalicelib.web.steps import StepOutput, follow, log_link, render_output, step_block, step_count
from chalicelib.web.timeline import timeline
from chalicelib.web.views import JobView, PipelineView

__all__ = ["job_head", "job_section", "jobs_in_order", "reason_note", "rendered_outputs"]

Excerpts = Mapping[tuple[str, int], Excerpt]

_EXPLAINED = {
    Outcome.INFRASTRUCTURE: "This is not a failed test: the machine or the service around the job "
    "gave up, and no attempts were left.",
}
_WITHOUT_REASON = {
    Outcome.TIMED_OUT: "The job reached its time limit.",
    Outcome.SUPERSEDED: "A newer push made this one unnecessary.",
}


def jobs_in_order(view: PipelineView) -> tuple[JobView, ...]:
    """Return the jobs so that each comes after those that it needs, else in config order."""
    views = {each.job.id: each for each in view.jobs}
    ordered = (ref.id for ref in in_order(view.pipeline.jobs))
    return tuple(views[job] for job in dict.fromkeys([*ordered, *views]) if job in views)


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
        _taken_over(job) if job.pipeline != pipeline.id else _needs(pipeline, job),
        _why(job, view.waits),
        timeline(pipeline, view, now),
    )


def reason_note(outcome: Outcome, reason: str, *, explain: bool = True) -> Html | None:
    """Return why something ended as it did, where that needs saying; `explain` says what it means."""
    told = _EXPLAINED if reason else _EXPLAINED | _WITHOUT_REASON
    explanation = told.get(outcome) if explain else None
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


def _needs(pipeline: Pipeline, job: Job) -> Html | None:
    refs = {ref.id: ref for ref in pipeline.jobs}
    needs = refs[job.id].needs if job.id in refs else ()
    if not needs:
        return None
    links = [el("a", refs[need].name, href=f"#job-{need}") for need in needs]
    rest = [part for link in links[1:] for part in (", ", link)]
    return el("p", "Needs ", links[0], rest, class_="needs")


def _taken_over(job: Job) -> Html:
    """Return what is said of a job that had succeeded before the failed ones were run again."""
    before = el("a", "the pipeline before", href=quote(job.pipeline, safe=""))
    return el("p", "As it ended in ", before, class_="needs")


def _why(job: Job, waits: str) -> Html | None:
    if job.outcome is not None:
        return reason_note(job.outcome, job.reason)
    if job.state is JobState.WAITING:
        waits = waits or "needs other jobs of this pipeline"
    lost = f"The attempt before this one was lost: {job.reason}." if job.reason else ""
    sentences = [el("p", "Waits: ", waits)] if waits else []
    sentences += [el("p", lost)] if lost else []
    return el("div", sentences, class_="note idle") if sentences else None
