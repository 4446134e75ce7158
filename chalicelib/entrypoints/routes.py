"""The HTTP routes: webhook, attempt callbacks, JSON for the command line, pages for people.

A route reads the request, calls one service or renders one page, and answers. `middleware` logs each
request once and turns our errors into answers; no traceback reaches a client.
"""

import json
from collections.abc import Callable
from typing import Any

from chalice import Blueprint, Response
from chalice.app import Request

from chalicelib import wiring
from chalicelib.entrypoints.requests import read_body
from chalicelib.errors import (
    BerthError,
    FenceLostError,
    InputError,
    NotFoundError,
    PayloadError,
    RetryableError,
    SignatureError,
    TicketError,
    TokenError,
)
from chalicelib.model.names import ATTEMPT_NAME
from chalicelib.telemetry import fresh, logger

__all__ = ["blueprint", "middleware"]

blueprint = Blueprint(__name__)

_DELIVERY_TYPES = ["application/json", "application/x-www-form-urlencoded"]
_STATUS: list[tuple[type[BerthError], int]] = [
    (SignatureError, 401),
    (TicketError, 401),
    (TokenError, 401),
    (NotFoundError, 404),
    (FenceLostError, 409),
    (InputError, 400),
    (RetryableError, 503),
]


def middleware(request: Request, get_response: Callable[[Any], Any]) -> Any:
    """Log the request and answer our errors with their status and one sentence."""
    fresh(
        route=request.context.get("resourcePath"),
        method=request.method,
        delivery=request.headers.get("x-github-delivery"),
        **(request.uri_params or {}),
    )
    try:
        response = get_response(request)
    except BerthError as error:
        return _refusal(request, error)
    except Exception:  # noqa: BLE001 - the one place: it is logged, and no traceback goes out
        logger.exception("unexpected error")
        return _json({"error": "internal error; the log of the API function has it"}, 500)
    logger.info("answered", status=getattr(response, "status_code", 200))
    return response


def _refusal(request: Request, error: BerthError) -> Response:
    status = error.status if isinstance(error, PayloadError) else _status_of(error)
    logger.warning(str(error), error=type(error).__name__, status=status)
    sentence = (
        str(error)
        if isinstance(error, InputError | FenceLostError)
        else "not available now; try again"
    )
    if _wants_page(request):
        from chalicelib.entrypoints.pages import error_page

        return error_page(request, status, sentence)
    return _json({"error": sentence}, status)


def _status_of(error: BerthError) -> int:
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _json(body: Any, status: int = 200) -> Response:
    return Response(
        json.dumps(body), headers={"Content-Type": "application/json"}, status_code=status
    )


@blueprint.route("/health")
def health() -> Response:
    """Answer that the API is there; needs no token."""
    return _json({"status": "ok"})


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
            return _json({"pong": True})
        case Ignored(reason=reason):
            logger.info("ignored", reason=reason)
            return _json({"ignored": reason})
        case received:
            logger.append_keys(pipeline=received.pipeline)
            return _json(
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
    return _json({"cancelling": serve(wiring.berth(), ticket=ticket, report=report)})


@blueprint.route("/attempts/{job}/{fence}/result", methods=["PUT"])
def end_attempt(job: str, fence: str) -> Response:
    """Take an attempt's result."""
    from chalicelib.model import parse_result
    from chalicelib.services.end_attempt import end_attempt as serve

    ticket = _ticket(job, fence)
    result = parse_result(_parsed(blueprint.current_request))
    serve(wiring.berth(), ticket=ticket, result=result)
    logger.info("attempt ended", outcome=result.outcome.value, reason=result.reason)
    return _json({})


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
