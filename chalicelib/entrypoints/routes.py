"""The routes of machines: GitHub's webhook, and the callbacks of supervisors."""

import json
from typing import Any

from chalice import Response
from chalice.app import Request

from chalicelib import wiring
from chalicelib.entrypoints.guard import GuardedBlueprint, json_answer
from chalicelib.entrypoints.requests import read_body
from chalicelib.errors import PayloadError, TicketError
from chalicelib.model.names import ATTEMPT_NAME
from chalicelib.telemetry import fresh, logger

__all__ = ["blueprint"]

blueprint = GuardedBlueprint(__name__)

_DELIVERY_TYPES = ["application/json", "application/x-www-form-urlencoded"]


@blueprint.route("/health")
def health() -> Response:
    """Answer that the API is there; needs no token."""
    return json_answer({"status": "ok"})


@blueprint.route("/webhooks/github", methods=["POST"], content_types=_DELIVERY_TYPES)
def receive_delivery() -> Response:
    """Take a delivery: 202 with the pipeline's id, 200 for a duplicate or an ignored event."""
    from chalicelib.github.webhook import Ignored, Pong
    from chalicelib.services.receive_delivery import receive_delivery as serve

    request = blueprint.current_request
    answer = serve(
        wiring.berth(),
        event=request.headers.get("x-github-event", ""),
        delivery=request.headers.get("x-github-delivery", ""),
        signature=request.headers.get("x-hub-signature-256"),
        content_type=request.headers.get("content-type", ""),
        body=read_body(request),
    )
    match answer:
        case Pong():
            return json_answer({"pong": True})
        case Ignored(reason=reason):
            logger.info("ignored", reason=reason)
            return json_answer({"ignored": reason})
        case received:
            logger.append_keys(pipeline=received.pipeline)
            return json_answer(
                {"pipeline": received.pipeline, "duplicate": received.duplicate},
                200 if received.duplicate else 202,
            )


@blueprint.route("/attempts/{job}/{fence}/report", methods=["POST"])
def record_report(job: str, fence: str) -> Response:
    """Take a supervisor's report; answers whether the job was cancelled."""
    from chalicelib.model import parse_report
    from chalicelib.services.record_report import record_report as serve

    ticket = _ticket(job, fence)
    report = parse_report(_parsed(blueprint.current_request))
    return json_answer({"cancelling": serve(wiring.berth(), ticket=ticket, report=report)})


@blueprint.route("/attempts/{job}/{fence}/result", methods=["PUT"])
def end_attempt(job: str, fence: str) -> Response:
    """Take an attempt's result."""
    from chalicelib.model import parse_result
    from chalicelib.services.end_attempt import end_attempt as serve

    ticket = _ticket(job, fence)
    result = parse_result(_parsed(blueprint.current_request))
    serve(wiring.berth(), ticket=ticket, result=result)
    logger.info("attempt ended", outcome=result.outcome.value, reason=result.reason)
    return json_answer({})


def _ticket(job: str, fence: str) -> Any:
    from chalicelib.keyring.signing import open_ticket

    berth = wiring.berth()
    now = berth.clock.now()
    header = blueprint.current_request.headers.get("authorization", "")
    if not ATTEMPT_NAME.match(f"{job}-{fence}"):
        raise TicketError(reason="the ticket is not valid")
    key = berth.keyring.keys(now=now).ticket
    ticket = open_ticket(header.removeprefix("Bearer "), key, job=job, fence=int(fence), now=now)
    fresh(job=job, fence=ticket.fence, pipeline=ticket.pipeline, delivery=ticket.delivery)
    return ticket


def _parsed(request: Request) -> Any:
    try:
        return json.loads(read_body(request))
    except (ValueError, RecursionError) as error:
        raise PayloadError(reason="the body is not JSON") from error
