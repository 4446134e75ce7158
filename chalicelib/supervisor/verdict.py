"""Which step runs next, and how the attempt ended. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.supervisor.attempt import Step

__all__ = [
    "CANCELLED",
    "FAILED",
    "INFRASTRUCTURE",
    "RUNNING",
    "SKIPPED",
    "SUCCEEDED",
    "TIMED_OUT",
    "WAITING",
    "Ending",
    "Record",
    "duration_text",
    "has_failed",
    "initial_records",
    "interrupted",
    "known_status",
    "next_step",
    "outcome",
    "runs",
    "with_skipped",
]

WAITING = "waiting"
RUNNING = "running"
SUCCEEDED = "succeeded"
FAILED = "failed"
TIMED_OUT = "timed_out"
CANCELLED = "cancelled"
SKIPPED = "skipped"
INFRASTRUCTURE = "infrastructure"

_ENDED_BADLY = frozenset({FAILED, TIMED_OUT})
_MINUTE_S = 60
_LONGEST_STATUS = 255


@dataclass(frozen=True)
class Record:
    """One step as the control plane is told of it: `StepRecord` of `chalicelib/model/attempt.py`."""

    index: int
    name: str
    state: str = WAITING
    exit_status: int | None = None
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the wire shape."""
        return {
            "index": self.index,
            "name": self.name,
            "state": self.state,
            "exit_status": self.exit_status,
            "started_at_ms": self.started_at_ms,
            "ended_at_ms": self.ended_at_ms,
            "detail": self.detail,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Record:
        """Return the record that `to_json` wrote."""
        return cls(**value)


@dataclass(frozen=True)
class Ending:
    """Why the attempt stopped before its steps were through.

    `kind` is an outcome: cancelled, timed_out or infrastructure.
    """

    kind: str
    reason: str


def initial_records(steps: Sequence[Step]) -> tuple[Record, ...]:
    """Return a waiting record for each step."""
    return tuple(Record(index=step.index, name=step.name) for step in steps)


def runs(when: str, *, failed: bool) -> bool:
    """Return whether a step with that `when` runs, given whether one before it has failed.

    >>> runs("on_fail", failed=True), runs("on_success", failed=True), runs("always", failed=True)
    (True, False, True)
    """
    return {"always": True, "on_fail": failed}.get(when, not failed)


def has_failed(records: Sequence[Record]) -> bool:
    """Return whether any step failed or was cut for silence."""
    return any(record.state in _ENDED_BADLY for record in records)


def next_step(steps: Sequence[Step], records: Sequence[Record]) -> Step | None:
    """Return the step to run now, or None when none is left. Steps before it are over or skipped."""
    failed = has_failed(records)
    waiting = (step for step in steps if records[step.index].state == WAITING)
    return next((step for step in waiting if runs(step.when, failed=failed)), None)


def with_skipped(records: Sequence[Record], *, before: int | None) -> tuple[Record, ...]:
    """Return the records with those waiting before that index (None: all of them) marked skipped."""
    limit = len(records) if before is None else before
    return tuple(
        replace(record, state=SKIPPED)
        if record.state == WAITING and record.index < limit
        else record
        for record in records
    )


def interrupted(records: Sequence[Record], ending: Ending, *, now_ms: int) -> tuple[Record, ...]:
    """Return the records after the attempt was stopped: running ones end, waiting ones are skipped.

    A step that infrastructure took away is shown as cancelled, never as failed.
    """
    state = TIMED_OUT if ending.kind == TIMED_OUT else CANCELLED
    ended = tuple(
        replace(record, state=state, ended_at_ms=now_ms, detail=ending.reason)
        if record.state == RUNNING
        else record
        for record in records
    )
    return with_skipped(ended, before=None)


def outcome(records: Sequence[Record], ending: Ending | None) -> tuple[str, str]:
    """Return the outcome of the attempt and one sentence on it (empty when it succeeded)."""
    if ending is not None:
        return ending.kind, ending.reason
    bad = next((record for record in records if record.state in _ENDED_BADLY), None)
    if bad is None:
        return SUCCEEDED, ""
    if bad.state == TIMED_OUT or bad.exit_status is None:
        return FAILED, f"step {bad.name!r}: {bad.detail}"
    return FAILED, f"step {bad.name!r} exited with {bad.exit_status}"


def known_status(status: int | None) -> int | None:
    """Return an exit status that the wire can carry, or None."""
    return status if status is not None and 0 <= status <= _LONGEST_STATUS else None


def duration_text(seconds: float) -> str:
    """Return a duration for people.

    >>> duration_text(600), duration_text(90), duration_text(0.5)
    ('10 min', '90 s', '0.5 s')
    """
    if seconds >= _MINUTE_S and seconds % _MINUTE_S == 0:
        return f"{seconds / _MINUTE_S:g} min"
    return f"{seconds:g} s"
