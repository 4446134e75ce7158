"""What Berth signs itself: tickets of attempts, sign-in codes and sessions of people.

A signed text is `base64url(payload) . base64url(HMAC-SHA256)`, with the purpose inside the payload,
so that no kind passes for another. Pure: keys and time come as arguments.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chalicelib.clock import to_ms
from chalicelib.errors import TicketError, TokenError
from chalicelib.keyring.protocol import Secret

__all__ = ["SESSION", "SIGN_IN", "Ticket", "open_code", "open_ticket", "seal_code", "seal_ticket"]

SIGN_IN = "sign-in"
SESSION = "session"
_MAX_SIGNED = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What an attempt's bearer token says. It is valid for that attempt alone.

    `task_token` is the Step Functions token of the waiting task: it travels with the supervisor,
    signed, so that no write is spent on keeping it. Without AWS credentials it is of no use.
    `pipeline` and `delivery` are for the log lines of the callbacks.
    """

    job: str
    fence: int
    task_token: str
    pipeline: str = ""
    delivery: str = ""


def seal_ticket(ticket: Ticket, key: Secret, *, expires: datetime) -> str:
    """Return the bearer token of an attempt."""
    payload = {
        "for": "attempt",
        "job": ticket.job,
        "fence": ticket.fence,
        "task": ticket.task_token,
        "pipeline": ticket.pipeline,
        "delivery": ticket.delivery,
    }
    return _seal(
        payload,
        key,
        expires=expires,
    )


def open_ticket(text: str, key: Secret, *, job: str, fence: int, now: datetime) -> Ticket:
    """Return what the token says, if it is ours, in date and for this attempt.

    Raises:
        TicketError: it is not. The message never says what would have been right.
    """
    payload = _open(text, key, now=now)
    if payload is None or payload.get("for") != "attempt":
        raise TicketError(reason="the ticket is not valid")
    if (payload["job"], payload["fence"]) != (job, fence):
        raise TicketError(reason="the ticket is for another attempt")
    return Ticket(
        job=job,
        fence=fence,
        task_token=payload["task"],
        pipeline=payload["pipeline"],
        delivery=payload["delivery"],
    )


def seal_code(purpose: str, nonce: str, key: Secret, *, expires: datetime) -> str:
    """Return a sign-in code or a session, by `purpose`."""
    return _seal({"for": purpose, "nonce": nonce}, key, expires=expires)


def open_code(purpose: str, text: str, key: Secret, *, now: datetime) -> str:
    """Return the nonce of a code of that purpose.

    Raises:
        TokenError: it is not ours, of another purpose, or out of date.
    """
    payload = _open(text, key, now=now)
    if payload is None or payload.get("for") != purpose:
        raise TokenError(reason="the sign-in is not valid, or too old; take a new link")
    return str(payload["nonce"])


def _seal(payload: Mapping[str, Any], key: Secret, *, expires: datetime) -> str:
    text = json.dumps({**payload, "expires": to_ms(expires)}, sort_keys=True).encode()
    return f"{_encode(text)}.{_encode(_mac(text, key))}"


def _open(text: str, key: Secret, *, now: datetime) -> dict[str, Any] | None:
    body, dot, mac = text.partition(".")
    if not dot or len(text) > _MAX_SIGNED:
        return None
    try:
        payload, given = _decode(body), _decode(mac)
    except (binascii.Error, ValueError):
        return None
    if not hmac.compare_digest(_mac(payload, key), given):
        return None
    # Only now is the payload known to be ours, and so of our shape.
    value: dict[str, Any] = json.loads(payload)
    return value if value["expires"] > to_ms(now) else None


def _mac(text: bytes, key: Secret) -> bytes:
    return hmac.new(key.reveal().encode(), text, hashlib.sha256).digest()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(
        text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True
    )
