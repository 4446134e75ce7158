"""Reading requests: names of the path, values of the query, fields of the body, each checked."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from chalice.app import Request

from chalicelib.errors import PayloadError

if TYPE_CHECKING:
    from chalicelib.github.payload import Payload

__all__ = [
    "MAX_BODY_BYTES",
    "attempt_number",
    "checked_id",
    "checked_name",
    "json_fields",
    "query",
    "read_body",
    "required_text",
]

MAX_BODY_BYTES = 6 * 1024 * 1024
"""Lambda's limit on a request: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>."""

_MAX_DIGITS = 9
# What `model.names` makes, and what tenants, pools and hosts are called. Anything else would be a key
# of the table that was never written, or one too long for it.
_ID = re.compile(r"[a-z2-7]{16}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def query(request: Request, name: str) -> str:
    """Return a value of the query, or the empty string."""
    found: Mapping[str, str] = request.query_params or {}
    return str(found[name]) if name in found else ""


def read_body(request: Request) -> bytes:
    """Return the raw bytes of the request.

    Raises:
        PayloadError: there are more than the platform takes; its status is 413.
    """
    raw = request.raw_body
    body = raw.encode() if isinstance(raw, str) else raw
    if len(body) > MAX_BODY_BYTES:
        raise PayloadError(reason=f"the body is larger than {MAX_BODY_BYTES} bytes", status=413)
    return body


def attempt_number(request: Request, newest: int) -> int:
    """Return the fence that the query asks for; `newest` when it asks for none.

    Raises:
        PayloadError: it is not the number of an attempt.
    """
    text = query(request, "fence")
    if not text:
        return newest
    if not text.isdecimal() or len(text) > _MAX_DIGITS or int(text) > newest:
        raise PayloadError(reason="fence is not the number of an attempt")
    return int(text)


def checked_id(kind: str, text: str) -> str:
    """Return the id of a pipeline or a job, from the path, if it can be one.

    Raises:
        PayloadError: it cannot; its status is 404, for there is no such thing.
    """
    if not _ID.fullmatch(text):
        reason = f"{kind} is not an id: it has 16 characters, a to z and 2 to 7"
        raise PayloadError(reason=reason, status=404)
    return text


def checked_name(kind: str, text: str) -> str:
    """Return the name of a tenant, a pool or a host, from the path, if it can be one.

    Raises:
        PayloadError: it cannot.
    """
    if not _NAME.fullmatch(text):
        reason = f"{kind} is not a name: 1 to 64 letters, digits, dots, dashes and underscores"
        raise PayloadError(reason=reason)
    return text


def json_fields(request: Request, *known: str) -> "Payload":
    """Return the fields of the JSON object in the body; none when there is no body.

    Raises:
        PayloadError: it is no JSON object, or has a field that is not among `known`.
    """
    from chalicelib.github.payload import Payload, shown
    from chalicelib.github.webhook import decode_body

    value = decode_body(read_body(request) or b"{}", "application/json")
    for field in value:
        if field not in known:
            there = ", ".join(known) or "none"
            raise PayloadError(reason=f"{shown(field)} is not a field of this call; it has {there}")
    return Payload(value)


def required_text(fields: "Payload", field: str) -> str:
    """Return the short printable text in that field of the body.

    Raises:
        PayloadError: it is missing, or no such text.
    """
    text = fields.optional_text(field)
    if text is None:
        raise PayloadError(reason=f"{field} is missing")
    return text
