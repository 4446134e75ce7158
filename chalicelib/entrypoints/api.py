"""JSON for programs, `./berth build` first. Reading takes the token or a session, changing the token."""

import base64

from chalice import Response

from chalicelib import wiring
from chalicelib.entrypoints.access import require_bearer, require_reader
from chalicelib.entrypoints.documents import job_document, pipeline_document, time_text
from chalicelib.entrypoints.guard import GuardedBlueprint, json_answer
from chalicelib.entrypoints.requests import attempt_number, checked_id, json_fields, query
from chalicelib.errors import PayloadError

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
        {"pipelines": [pipeline_document(each) for each in page.pipelines], "next": page.next}
    )


@blueprint.route("/api/pipelines/{pipeline}")
def get_pipeline(pipeline: str) -> Response:
    """Return a pipeline with its jobs, their hops and what they wait for."""
    from chalicelib.services.show_pipeline import show_pipeline

    require_reader(blueprint.current_request)
    shown = show_pipeline(wiring.berth(), checked_id("pipeline", pipeline))
    document = pipeline_document(shown.pipeline)
    document["jobs"] = [
        {**ref, **job_document(job), "waits_for": shown.waits.get(job.id, "")}
        for ref, job in zip(document["jobs"], shown.jobs, strict=True)
    ]
    return json_answer(document)


@blueprint.route("/api/pipelines/{pipeline}/cancel", methods=["POST"])
def cancel_pipeline(pipeline: str) -> Response:
    """Cancel a pipeline; answers how many jobs had not ended."""
    from chalicelib.services.cancel_pipeline import cancel_pipeline as serve

    require_bearer(blueprint.current_request)
    return json_answer({"cancelled": serve(wiring.berth(), checked_id("pipeline", pipeline))})


@blueprint.route("/api/pipelines/{pipeline}/rerun", methods=["POST"])
def rerun_pipeline(pipeline: str) -> Response:
    """Run a pipeline again; answers 202 and the new one's id, 200 when such a re-run is open already.

    Body: `{}` for all of it, `{"only": "failed"}`, or `{"job": name}`.
    """
    from chalicelib.services.rerun_pipeline import rerun_pipeline as serve

    require_bearer(blueprint.current_request)
    checked_id("pipeline", pipeline)
    fields = json_fields(blueprint.current_request, "only", "job")
    only = fields.optional_text("only")
    if only not in {None, "failed"}:
        raise PayloadError(reason='only is not "failed"')
    received = serve(
        wiring.berth(),
        pipeline,
        only_failed=only is not None,
        only_job=fields.optional_text("job"),
    )
    answer = {"pipeline": received.pipeline, "duplicate": received.duplicate}
    return json_answer(answer, 200 if received.duplicate else 202)


@blueprint.route("/api/jobs/{job}")
def get_job(job: str) -> Response:
    """Return a job, `why` it is not running, its `timeline` of hops, and names of those it `needs`."""
    from chalicelib.services.explain_job import explain_job

    require_reader(blueprint.current_request)
    explained = explain_job(wiring.berth(), checked_id("job", job))
    return json_answer(
        {
            **job_document(explained.job),
            "needs": [ref.name for ref in explained.needs],
            "why": explained.sentence,
            "timeline": [[hop, time_text(moment)] for hop, moment in explained.timeline],
        }
    )


@blueprint.route("/api/jobs/{job}/cancel", methods=["POST"])
def cancel_job(job: str) -> Response:
    """Cancel one job; answers the job as it is then."""
    from chalicelib.services.cancel_pipeline import cancel_job as serve

    require_bearer(blueprint.current_request)
    return json_answer(job_document(serve(wiring.berth(), checked_id("job", job))))


@blueprint.route("/api/jobs/{job}/log")
def read_log(job: str) -> Response:
    """Return the next page of a job's log: output as base64 by step and offset, and the steps.

    Query: `cursor` of the page before; `fence` of the attempt that is read (default: the newest).
    `more` says that another page is stored already, `ended` that nothing will be added.
    """
    from chalicelib.services.find_job import find_job

    require_reader(blueprint.current_request)
    berth = wiring.berth()
    record = find_job(berth, checked_id("job", job))
    fence = attempt_number(blueprint.current_request, record.fence)
    # Read in this order: an attempt that had ended before the log was read adds nothing to it.
    page = berth.logs.read_log(job, fence, cursor=query(blueprint.current_request, "cursor"))
    return json_answer(
        {
            "fence": fence,
            "job": job_document(record),
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
