"""The HTTP routes."""

from collections.abc import Callable
from typing import Any

from chalice import Blueprint

__all__ = ["blueprint", "middleware"]

blueprint = Blueprint(__name__)


def middleware(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Log and answer errors in one place."""
    return get_response(event)


@blueprint.route("/health")
def health() -> dict[str, str]:
    """Answer that the API is there; needs no token."""
    return {"status": "ok"}
