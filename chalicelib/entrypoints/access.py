"""Who may see pages and API: a bearer token for programs, a signed session cookie for browsers.

A cookie never authorises a change (only GET routes take it), so no page of a stranger can make one.
"""

from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie

from chalice.app import Request

from chalicelib import wiring
from chalicelib.errors import TokenError
from chalicelib.keyring.protocol import Secret
from chalicelib.keyring.signing import SESSION, SIGN_IN, open_code, seal_code
from chalicelib.services.context import Berth

__all__ = ["COOKIE", "require_bearer", "require_reader", "sign_in", "sign_in_with_token"]

COOKIE = "berth"
_SESSION_LIFETIME = timedelta(days=30)


def require_bearer(request: Request) -> None:
    """Return if the request carries the page token as bearer.

    Raises:
        TokenError: it does not.
    """
    berth = wiring.berth()
    given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    if not berth.keyring.keys(now=berth.clock.now()).page.equals(given):
        raise TokenError(reason="this needs the installation's token: `Authorization: Bearer …`")


def require_reader(request: Request) -> None:
    """Return if the request carries the page token, or a session that a sign-in link made.

    Raises:
        TokenError: it carries neither, or one out of date.
    """
    if request.headers.get("authorization"):
        require_bearer(request)
        return
    berth = wiring.berth()
    now = berth.clock.now()
    open_code(SESSION, _cookie(request), berth.keyring.keys(now=now).page, now=now)


def sign_in(code: str) -> str:
    """Spend a sign-in code; return the `Set-Cookie` value of a new session.

    Raises:
        TokenError: the code is not ours, out of date, or was spent.
    """
    berth = wiring.berth()
    now = berth.clock.now()
    key = berth.keyring.keys(now=now).page
    nonce = open_code(SIGN_IN, code, key, now=now)
    if not berth.keyring.spend(nonce, expires=now + timedelta(days=1)):
        raise TokenError(reason="this sign-in link was used before; take a new one")
    return _session(berth, key, now)


def sign_in_with_token(token: str) -> str:
    """Return the `Set-Cookie` value of a new session, if `token` is the installation's.

    Raises:
        TokenError: it is not.
    """
    berth = wiring.berth()
    now = berth.clock.now()
    key = berth.keyring.keys(now=now).page
    if not key.equals(token):
        raise TokenError(reason="that is not the installation's token")
    return _session(berth, key, now)


def _session(berth: Berth, key: Secret, now: datetime) -> str:
    session = seal_code(SESSION, berth.nonce(), key, expires=now + _SESSION_LIFETIME)
    seconds = int(_SESSION_LIFETIME.total_seconds())
    return f"{COOKIE}={session}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax"


def _cookie(request: Request) -> str:
    try:
        jar = SimpleCookie(request.headers.get("cookie", ""))
    except CookieError:
        return ""
    return jar[COOKIE].value if COOKIE in jar else ""
