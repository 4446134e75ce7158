"""Reading requests: one query value, one attempt's number."""

from collections.abc import Mapping

from chalice.app import Request

from chalicelib.errors import PayloadError

__all__ = ["MAX_BODY_BYTES", "attempt_number", "query", "read_body"]

MAX_BODY_BYTES = 6 * 1024 * 1024
"""Lambda's limit on a request: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>."""

_MAX_DIGITS = 9


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
