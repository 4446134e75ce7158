"""Tickets and codes: only the right key, attempt, purpose and time open them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import TicketError, TokenError
from chalicelib.keyring.protocol import Secret
from chalicelib.keyring.signing import (
    SESSION,
    SIGN_IN,
    Ticket,
    open_code,
    open_ticket,
    seal_code,
    seal_ticket,
)

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_LATER = _NOW + timedelta(hours=1)
_KEY = Secret("key")
_JOB = "abcdefghijklmnop"


def _sealed(token: str = "token") -> str:  # noqa: S107 - a stand-in, not a password
    ticket = Ticket(job=_JOB, fence=3, task_token=token, pipeline="p", delivery="d")
    return seal_ticket(ticket, _KEY, expires=_LATER)


@given(st.text(max_size=500))
def test_a_ticket_says_what_was_sealed(token: str) -> None:
    ticket = open_ticket(_sealed(token), _KEY, job=_JOB, fence=3, now=_NOW)

    assert ticket.task_token == token
    assert (ticket.pipeline, ticket.delivery) == ("p", "d")


@pytest.mark.parametrize(("job", "fence"), [("b" * 16, 3), (_JOB, 2), (_JOB, 4)])
def test_a_ticket_is_for_one_attempt(job: str, fence: int) -> None:
    with pytest.raises(TicketError, match="another attempt"):
        open_ticket(_sealed(), _KEY, job=job, fence=fence, now=_NOW)


def test_a_ticket_expires() -> None:
    with pytest.raises(TicketError):
        open_ticket(_sealed(), _KEY, job=_JOB, fence=3, now=_LATER)


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(TicketError):
        open_ticket(_sealed(), Secret("other"), job=_JOB, fence=3, now=_NOW)


@given(st.integers(min_value=0), st.characters())
def test_a_changed_character_closes_it(position: int, character: str) -> None:
    sealed = _sealed()
    place = position % len(sealed)
    changed = sealed[:place] + character + sealed[place + 1 :]

    try:
        ticket = open_ticket(changed, _KEY, job=_JOB, fence=3, now=_NOW)
    except TicketError:
        return
    # The last character of base64 has bits that are not used: the same bytes, then.
    assert ticket.task_token == "token"  # noqa: S105 - a stand-in, not a password


@given(st.text())
def test_a_strangers_text_is_refused(text: str) -> None:
    with pytest.raises(TicketError):
        open_ticket(text, _KEY, job=_JOB, fence=3, now=_NOW)


def test_a_sign_in_code_is_no_session_and_no_ticket() -> None:
    code = seal_code(SIGN_IN, "nonce", _KEY, expires=_LATER)

    assert open_code(SIGN_IN, code, _KEY, now=_NOW) == "nonce"
    with pytest.raises(TokenError):
        open_code(SESSION, code, _KEY, now=_NOW)
    with pytest.raises(TicketError):
        open_ticket(code, _KEY, job=_JOB, fence=3, now=_NOW)


def test_a_secret_never_prints() -> None:
    secret = Secret("swordfish")

    assert "swordfish" not in f"{secret} {secret!r} {[secret]} {(secret,)}"
    assert secret.equals("swordfish")
    assert not secret.equals("swordfisH")
