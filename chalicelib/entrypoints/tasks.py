"""Handlers of the task Lambdas: read the event, call one service, answer with plain JSON."""

from typing import Any

__all__ = ["dispatch_attempt", "finish_job", "plan_pipeline", "recover_attempt", "sweep"]


def plan_pipeline(event: dict[str, Any]) -> dict[str, Any]:
    """Event: `{"pipeline": id}`."""
    return event


def dispatch_attempt(event: dict[str, Any]) -> dict[str, Any]:
    """Event: `{"job", "fence", "version", "task_token"}`."""
    return event


def finish_job(event: dict[str, Any]) -> dict[str, Any]:
    """Event: `{"job", "fence", "version"}`."""
    return event


def recover_attempt(event: dict[str, Any]) -> dict[str, Any]:
    """Event: `{"job", "fence", "version", "error"}`."""
    return event


def sweep(_event: Any) -> dict[str, Any]:
    """Event: a schedule tick; its content is not used."""
    return {}
