"""A delivery becomes a pipeline, exactly once, and nothing else happens in this call."""

from dataclasses import dataclass

from chalicelib.github.webhook import (
    Ignored,
    PipelineRequest,
    Pong,
    decode_body,
    read_delivery,
    verify_signature,
)
from chalicelib.model import Pipeline, pipeline_id
from chalicelib.services.context import Berth
from chalicelib.services.wake_planner import wake_planner

__all__ = ["Received", "receive_delivery"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """The pipeline a delivery made, or had made before (`duplicate`)."""

    pipeline: str
    duplicate: bool


def receive_delivery(
    berth: Berth,
    *,
    event: str,
    delivery: str,
    signature: str | None,
    content_type: str,
    body: bytes,
) -> Received | Ignored | Pong:
    """Check a delivery and put its pipeline if it is new. Safe to repeat: that is the point.

    Args:
        berth: the drivers.
        event: the `X-GitHub-Event` header.
        delivery: the `X-GitHub-Delivery` header; a log key only.
        signature: the `X-Hub-Signature-256` header.
        content_type: `application/json` or GitHub's form encoding.
        body: the raw bytes.

    Raises:
        SignatureError: the body is not signed with one of our secrets.
        PayloadError: the body is not a delivery.
        StoreUnavailableError: the pipeline could not be stored; GitHub shows the delivery as failed.
    """
    now = berth.clock.now()
    keys = berth.keyring.keys(now=now)
    verify_signature(body, signature, [secret.reveal() for secret in keys.webhook])
    request = read_delivery(event, delivery, decode_body(body, content_type))
    if not isinstance(request, PipelineRequest):
        return request
    pipeline = Pipeline(
        id=_identity(request),
        tenant=request.installation,
        event=request.event,
        source=request.source,
        delivery=request.delivery,
        rerun=request.rerun,
        only_job=request.only_job,
        received_at=now,
    )
    new = berth.pipelines.put_pipeline(pipeline)
    if new:
        wake_planner(berth, pipeline.id)
    return Received(pipeline=pipeline.id, duplicate=not new)


def _identity(request: PipelineRequest) -> str:
    return pipeline_id(
        installation=request.installation,
        repository_id=request.source.repository_id,
        event=request.event,
        head_sha=request.source.sha,
        ref=request.source.ref,
        rerun=request.rerun,
    )
