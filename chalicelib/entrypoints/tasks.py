"""Handlers of the task Lambdas: read the event, call one service, log once, answer plain JSON.

An error is logged here and raised again: its class name is what `Retry` and `Catch` look for.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from chalicelib import wiring
from chalicelib.errors import BerthError, FenceLostError, NotFoundError
from chalicelib.services.context import Berth
from chalicelib.telemetry import fresh, logger

__all__ = [
    "dispatch_attempt",
    "finish_job",
    "plan_pipeline",
    "recover_attempt",
    "register_host",
    "sweep",
]

Answer = dict[str, Any]


def plan_pipeline(event: dict[str, Any]) -> Answer:
    """Event: `{"pipeline": id}`. Answers the ids of READY and PENDING jobs, or the reason for none."""
    from chalicelib.services.plan_pipeline import plan_pipeline as serve

    def act(berth: Berth) -> Answer:
        return asdict(serve(berth, event["pipeline"]))

    return _run("plan_pipeline", act, pipeline=event["pipeline"])


def dispatch_attempt(event: dict[str, Any]) -> Answer:
    """Event: `{"job", "fence", "version", "task_token"}`. Answers the host's id."""
    from chalicelib.services.dispatch_attempt import dispatch_attempt as serve

    def act(berth: Berth) -> Answer:
        token = event["task_token"]
        return {"host": serve(berth, job=event["job"], fence=event["fence"], task_token=token)}

    return _run("dispatch_attempt", act, job=event["job"], fence=event["fence"])


def finish_job(event: dict[str, Any]) -> Answer:
    """Event: `{"job", "fence", "version"}`. Answers `{"outcome": text}`; `retried`, `stale` too."""
    from chalicelib.services.finish_job import finish_job as serve

    def act(berth: Berth) -> Answer:
        try:
            outcome = serve(berth, job=event["job"], fence=event["fence"])
        except (FenceLostError, NotFoundError):
            # Somebody else decided, or the task was ended by hand: the lease brings the sweeper.
            return {"outcome": "stale"}
        return {"outcome": outcome.value if outcome else "retried"}

    return _run("finish_job", act, job=event["job"], fence=event["fence"])


def recover_attempt(event: dict[str, Any]) -> Answer:
    """Event: `{"job", "fence", "version", "error": {"Error", "Cause"}}`. Answers `{"decision"}`."""
    from chalicelib.services.recover_attempt import recover_attempt as serve

    def act(berth: Berth) -> Answer:
        cause, silent = _cause(event.get("error")), _is_silence(event.get("error"))
        decision = serve(berth, job=event["job"], fence=event["fence"], cause=cause, silent=silent)
        return {"decision": decision.value, "cause": cause}

    return _run("recover_attempt", act, job=event["job"], fence=event["fence"])


def sweep(_event: Any) -> Answer:
    """Event: a schedule tick; its content is not used. Answers what was repaired."""
    from chalicelib.services.sweep import sweep as serve

    return _run("sweep", lambda berth: asdict(serve(berth)))


def register_host(event: dict[str, Any]) -> Answer:
    """Event: `{"host": id, "slots": n, "pool": name}`. Answers the host as stored."""
    from chalicelib.model import Host
    from chalicelib.services.register_host import register_host as serve

    host = Host(id=event["host"], slots=int(event["slots"]), pool=event.get("pool", "default"))
    return _run("register_host", lambda berth: asdict(serve(berth, host)), host=host.id)


def _run(task: str, act: Callable[[Berth], Answer], **identity: Any) -> Answer:
    fresh(task=task, **identity)
    try:
        answer = act(wiring.berth())
    except BerthError as error:
        logger.warning(str(error), error=type(error).__name__)
        raise
    except Exception:
        logger.exception("unexpected error")
        raise
    logger.info(f"{task} done", answer=answer)
    return answer


def _cause(error: Any) -> str:
    """Return one line on a state machine's `error`: its name, and the message of a Lambda's error."""
    if not isinstance(error, dict):
        return "the attempt was lost"
    name, cause = str(error.get("Error", "")), str(error.get("Cause", ""))
    message = _error_message(cause)
    return f"{name}: {message}" if message else name or "the attempt was lost"


def _is_silence(error: Any) -> bool:
    # Interpreters of the language disagree on which of the two a heartbeat that stays out is.
    names = {"States.HeartbeatTimeout", "States.Timeout"}
    return isinstance(error, dict) and error.get("Error") in names


def _error_message(cause: str) -> str:
    import json

    try:
        return str(json.loads(cause)["errorMessage"])[:500]
    except (ValueError, TypeError, KeyError):
        return cause[:500]
