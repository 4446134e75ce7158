"""GitHub's deliveries: checked, decoded, and read into what the rest of Berth understands.

Standard library only, and cheap to import: the webhook function's cold start pays for this file.
Payloads are read leniently (GitHub adds fields, and leaves out older ones), but each field that is
used is checked, for a delivery's text reaches git, DynamoDB and a page.
Events: <https://docs.github.com/en/webhooks/webhook-events-and-payloads>.
"""

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Never
from urllib.parse import parse_qs

from chalicelib.errors import PayloadError, SignatureError
from chalicelib.github.events import IGNORED_EVENTS
from chalicelib.github.payload import Payload, shown
from chalicelib.model import Source

__all__ = [
    "Delivery",
    "Ignored",
    "PipelineRequest",
    "Pong",
    "decode_body",
    "read_delivery",
    "verify_signature",
]

LOCAL_INSTALLATION = "local"
"""The installation of deliveries that no GitHub App sent."""

_SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")
_SKIP = re.compile(r"\[(?:ci skip|skip ci)\]")
_SKIP_WITHIN = 250
_MAX_RERUN = 1 << 53
"""`berth build` counts in milliseconds of the clock, so that no two calls of it are one pipeline."""
_FORM = "application/x-www-form-urlencoded"
_BUILT_ACTIONS = frozenset({"opened", "reopened", "synchronize"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRequest:
    """The delivery asks for a pipeline.

    Attributes:
        installation: the App installation's id as text, or `local`.
        source: what to build.
        event: `push` or `pull_request`.
        delivery: GitHub's delivery GUID, for logs.
        rerun: 0 for GitHub's own events; `berth build` counts up to build a commit again.
        only_job: plan only this job; None means all.
    """

    installation: str
    source: Source
    event: str
    delivery: str
    rerun: int = 0
    only_job: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """The delivery asks for nothing that Berth does. `reason` says why, to people."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    """GitHub asks whether anybody is there. `zen` is its saying."""

    zen: str = ""


Delivery = PipelineRequest | Ignored | Pong


def verify_signature(body: bytes, header: str | None, secrets: Sequence[str]) -> None:
    """Return if `header` is the HMAC-SHA256 of `body` under one of `secrets`.

    Every secret is tried in full, so the time it takes does not tell which one matched.

    Args:
        body: the raw bytes as they came, never re-serialised.
        header: `X-Hub-Signature-256`, of the form `sha256=<hex>`.
        secrets: the current one, and during rotation the previous one. Empty ones never match.

    Raises:
        SignatureError: the header is missing or malformed, or no secret matches.
    """
    if header is None:
        raise SignatureError(reason="the delivery has no X-Hub-Signature-256")
    if not _SIGNATURE.fullmatch(header):
        raise SignatureError(reason="X-Hub-Signature-256 is not sha256= and 64 hexadecimal digits")
    matched = False
    for secret in secrets:
        expected = "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()
        matched |= hmac.compare_digest(expected, header) and bool(secret)
    if not matched:
        raise SignatureError(reason="the delivery is not signed with a secret of this installation")


def decode_body(raw: bytes, content_type: str) -> dict[str, Any]:
    """Return the payload in a request body, for both content types that GitHub can be set to.

    Args:
        raw: the body, after its signature was verified.
        content_type: the request's header; a form's `payload` field is taken, all else is JSON.

    Raises:
        PayloadError: it is not one JSON object in UTF-8, or nests too deeply to be read.
    """
    try:
        text = raw.decode()
        if content_type.partition(";")[0].strip().lower() == _FORM:
            text = _form_field(text)
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise PayloadError(reason="the body is not JSON") from error
    if not isinstance(value, dict):
        raise PayloadError(reason="the body is not a JSON object")
    return value


def _form_field(text: str) -> str:
    values = parse_qs(text, max_num_fields=10).get("payload", [])
    if len(values) != 1:
        raise PayloadError(reason="the form has no payload field")
    return values[0]


def _refuse_constant(name: str) -> Never:
    msg = f"{name} is not JSON"
    raise ValueError(msg)


def read_delivery(event: str, delivery: str, body: bytes | Mapping[str, Any]) -> Delivery:
    """Return what a delivery asks for. Pure: the same delivery gives the same answer.

    Args:
        event: `X-GitHub-Event`.
        delivery: `X-GitHub-Delivery`.
        body: the JSON text, or what `decode_body` made of the request's body.

    Raises:
        PayloadError: a field that is needed is missing or malformed; the reason names it.
    """
    value = decode_body(body, "application/json") if isinstance(body, bytes) else body
    payload = Payload(value)
    match event:
        case "push":
            return _read_push(payload, delivery)
        case "pull_request":
            return _read_pull_request(payload, delivery)
        case "ping":
            return Pong(zen=payload.shown("zen"))
        case _:
            return Ignored(reason=IGNORED_EVENTS.get(event, "this event is not known"))


def _read_push(payload: Payload, delivery: str) -> PipelineRequest | Ignored:
    ref = payload.ref("ref")
    if payload.flag("deleted"):
        kind = "branch" if ref.startswith("refs/heads/") else "ref"
        return Ignored(reason=f"{kind} deleted")
    if ref.startswith("refs/tags/"):
        return Ignored(reason="tags build only with a tag filter, which is not supported yet")
    if not ref.startswith("refs/heads/"):
        return Ignored(reason="only branches and pull requests build")
    if payload.is_null("head_commit"):
        return Ignored(reason="the push has no head commit")
    message = payload.object("head_commit").text("message")
    if _skips(message):
        return Ignored(reason="the head commit says [ci skip]")
    berth = payload.optional_object("berth")
    return PipelineRequest(
        installation=_installation(payload),
        source=_source(
            payload,
            sha=payload.sha("after"),
            ref=ref,
            before=payload.optional_sha("before"),
            title=message,
            author=payload.optional_object("pusher").shown("name"),
        ),
        event="push",
        delivery=shown(delivery),
        rerun=berth.optional_number("rerun", _MAX_RERUN),
        only_job=berth.optional_text("job"),
    )


def _skips(message: str) -> bool:
    # CircleCI looks at the first 250 characters of the title, and of the body:
    # <https://circleci.com/docs/skip-build/>.
    title, _, body = message.partition("\n")
    return any(_SKIP.search(part[:_SKIP_WITHIN]) for part in (title, body.lstrip("\n")))


def _read_pull_request(payload: Payload, delivery: str) -> PipelineRequest | Ignored:
    action = payload.text("action")
    if action not in _BUILT_ACTIONS:
        return Ignored(reason=f"nothing to build when a pull request is {shown(action)}")
    pull_request = payload.object("pull_request")
    head = pull_request.object("head")
    if _is_fork(head, payload.object("repository")):
        return Ignored(reason="pull requests from forks are not built unless switched on")
    return PipelineRequest(
        installation=_installation(payload),
        source=_source(
            payload,
            sha=head.sha("sha"),
            ref=f"refs/pull/{pull_request.number('number')}",
            before=payload.optional_sha("before"),
            title=pull_request.text("title"),
            author=pull_request.optional_object("user").shown("login"),
        ),
        event="pull_request",
        delivery=shown(delivery),
    )


def _is_fork(head: Payload, repository: Payload) -> bool:
    # Once a fork has been deleted, GitHub sends null for it.
    return head.is_null("repo") or head.object("repo").number("id") != repository.number("id")


def _installation(payload: Payload) -> str:
    if payload.is_null("installation"):
        return LOCAL_INSTALLATION
    return str(payload.object("installation").number("id"))


def _source(
    payload: Payload, *, sha: str, ref: str, before: str, title: str, author: str
) -> Source:
    repository = payload.object("repository")
    return Source(
        repository=repository.full_name("full_name"),
        repository_id=str(repository.number("id")),
        clone_url=repository.clone_url("clone_url"),
        sha=sha,
        ref=ref,
        before=before,
        title=shown(title.partition("\n")[0]),
        author=author,
        default_branch=repository.branch("default_branch"),
    )
