"""JSON for programs, `./berth build` first. Reading takes the token or a session, changing the token."""

import base64
from datetime import datetime
from typing import Any

from chalice import Response

from chalicelib import wiring
from chalicelib.entrypoints.access import require_bearer, require_reader
from chalicelib.entrypoints.guard import GuardedBlueprint, json_answer
from chalicelib.entrypoints.requests import attempt_number, query
from chalicelib.model import Job, Pipeline

__all__ = ["blueprint"]

blueprint = GuardedBlueprint(__name__)


@blueprint.route("/api/pipelines")
def list_pipelines() -> Response:
    """Return a page of pipelines, newest first: `{"pipelines": […], "next": cursor or null}`."""
    require_reader(blueprint.current_request)
    page = wiring.berth().pipelines.list_pipelines(
        cursor=query(blueprint.current_request, "cursor") or None
    )
    return json_answer(
        {"pipelines": [_pipeline(each) for each in page.pipelines], "next": page.next}
    )


@blueprint.route("/api/pipelines/{pipeline}")
def get_pipeline(pipeline: str) -> Response:
    """Return a pipeline with its jobs, their hops and what they wait for."""
    from chalicelib.services.show_pipeline import show_pipeline

    require_reader(blueprint.current_request)
    shown = show_pipeline(wiring.berth(), pipeline)
    jobs = [{**_job(job), "waits_for": shown.waits.get(job.id, "")} for job in shown.jobs]
    return json_answer({**_pipeline(shown.pipeline), "jobs": jobs})


@blueprint.route("/api/pipelines/{pipeline}/cancel", methods=["POST"])
def cancel_pipeline(pipeline: str) -> Response:
    """Cancel a pipeline; answers how many jobs had not ended."""
    from chalicelib.services.cancel_pipeline import cancel_pipeline as serve

    require_bearer(blueprint.current_request)
    return json_answer({"cancelled": serve(wiring.berth(), pipeline)})


@blueprint.route("/api/jobs/{job}/log")
def read_log(job: str) -> Response:
    """Return the next page of a job's log: output as base64 by step and offset, and the steps.

    Query: `cursor` of the page before; `fence` of the attempt that is read (default: the newest).
    `more` says that another page is stored already, `ended` that nothing will be added.
    """
    from chalicelib.services.explain_job import find_job

    require_reader(blueprint.current_request)
    berth = wiring.berth()
    record = find_job(berth, job)
    fence = attempt_number(blueprint.current_request, record.fence)
    # Read in this order: an attempt that had ended before the log was read adds nothing to it.
    page = berth.logs.read_log(job, fence, cursor=query(blueprint.current_request, "cursor"))
    return json_answer(
        {
            "fence": fence,
            "job": _job(record),
            "steps": [step.to_json() for step in berth.logs.steps(job, fence)],
            "output": [
                {"step": chunk.step, "offset": chunk.offset, "data": _packed(chunk.data)}
                for chunk in page.chunks
            ],
            "cursor": page.cursor,
            "more": page.more,
            "ended": (record.outcome is not None or record.fence != fence) and not page.more,
        }
    )


def _packed(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _pipeline(pipeline: Pipeline) -> dict[str, Any]:
    source = pipeline.source
    return {
        "id": pipeline.id,
        "state": pipeline.state.value,
        "outcome": pipeline.outcome.value if pipeline.outcome else None,
        "reason": pipeline.reason,
        "event": pipeline.event,
        "delivery": pipeline.delivery,
        "repository": source.repository,
        "sha": source.sha,
        "ref": source.ref,
        "title": source.title,
        "author": source.author,
        "received_at": _time(pipeline.received_at),
        "planned_at": _time(pipeline.planned_at),
        "ended_at": _time(pipeline.ended_at),
        "jobs": [{"id": ref.id, "name": ref.name} for ref in pipeline.jobs],
    }


def _job(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "state": job.state.value,
        "outcome": job.outcome.value if job.outcome else None,
        "reason": job.reason,
        "fence": job.fence,
        "attempts": job.attempts,
        "host": job.host,
        "hops": {name: _time(moment) for name, moment in job.hops.items()},
    }
