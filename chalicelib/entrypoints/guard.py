"""The border of HTTP: errors become answers here, and each request is logged once.

Chalice answers any error of a view itself, before middleware sees it, with 500; so the views are
wrapped. Every blueprint of routes is a `GuardedBlueprint`, which leaves none out.
"""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from chalice import Blueprint, Response
from chalice.app import Request

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
from chalicelib.telemetry import fresh, logger

__all__ = ["GuardedBlueprint", "json_answer"]

View = Callable[..., Response]

# The first that fits counts. An error of ours that is in none of them is ours to mend: 500.
_STATUS: list[tuple[type[BerthError], int]] = [
    (SignatureError, 401),
    (TicketError, 401),
    (TokenError, 401),
    (NotFoundError, 404),
    (FenceLostError, 409),
    (InputError, 400),
    (RetryableError, 503),
]


class GuardedBlueprint(Blueprint):
    """A blueprint whose views answer errors of ours with their status and one sentence."""

    def route(self, path: str, **options: Any) -> Callable[[View], View]:
        """Register a view, guarded."""
        register = super().route(path, **options)
        return lambda view: register(self._guarded(view))

    def _guarded(self, view: View) -> View:
        @wraps(view)
        def guarded(**parts: Any) -> Response:
            request = self.current_request
            fresh(
                route=request.context.get("resourcePath"),
                method=request.method,
                delivery=request.headers.get("x-github-delivery"),
                **parts,
            )
            response = _answered(request, lambda: view(**parts))
            logger.info("answered", status=response.status_code)
            return response

        return guarded


def json_answer(body: Any, status: int = 200) -> Response:
    """Return a JSON answer; no cache keeps it."""
    headers: dict[str, str | list[str]] = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(json.dumps(body), headers=headers, status_code=status)


def _answered(request: Request, view: Callable[[], Response]) -> Response:
    try:
        return view()
    except BerthError as error:
        return _refusal(request, error)
    except Exception:  # noqa: BLE001 - the one place: it is logged, and no traceback goes out
        logger.exception("unexpected error")
        return json_answer({"error": "internal error; the log of the API function has it"}, 500)


def _refusal(request: Request, error: BerthError) -> Response:
    status = error.status if isinstance(error, PayloadError) else _status_of(error)
    logger.warning(str(error), error=type(error).__name__, status=status)
    told = isinstance(error, InputError | FenceLostError)
    sentence = str(error) if told else "not available now; try again"
    if "text/html" in request.headers.get("accept", ""):
        from chalicelib.entrypoints.pages import error_page

        return error_page(request, status, sentence)
    return json_answer({"error": sentence}, status)


def _status_of(error: BerthError) -> int:
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
