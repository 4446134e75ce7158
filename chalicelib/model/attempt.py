"""What the supervisor says of an attempt: reports while it runs, one result at the end.

These are the wire shapes of `/attempts/<job>/<fence>/…`, parsed once at the edge into values.
A stranger who holds a ticket (a build that broke out of its container) can send anything here, so
`parse_report` and `parse_result` check every field and raise `PayloadError`, never anything else.
"""

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from chalicelib.errors import PayloadError
from chalicelib.model.states import Outcome

__all__ = [
    "MAX_CHUNK_BYTES",
    "MAX_STEPS",
    "OutputChunk",
    "Report",
    "Result",
    "StepRecord",
    "StepState",
    "parse_report",
    "parse_result",
]

WIRE_VERSION = 1
MAX_CHUNK_BYTES = 256 * 1024
"""Raw bytes in one chunk. A DynamoDB item holds 400 KB, and random bytes do not compress."""
MAX_CHUNKS = 16
MAX_STEPS = 500
_MAX_TEXT = 2_000
_MAX_OFFSET = 1 << 40
_MAX_MS = 1 << 53


class StepState(StrEnum):
    """Where one step is."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One step of an attempt.

    Attributes:
        index: 0-based place among the job's steps.
        name: shown to people.
        exit_status: None while it runs and when it never ran; 128 + n when a signal n ended it.
        started_at_ms: Unix milliseconds by the host's clock.
        ended_at_ms: the same; their difference is the duration.
        detail: one sentence when the state needs one ("no output for 600 s").
    """

    index: int
    name: str
    state: StepState
    exit_status: int | None = None
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    detail: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the wire shape."""
        return {
            "index": self.index,
            "name": self.name,
            "state": self.state.value,
            "exit_status": self.exit_status,
            "started_at_ms": self.started_at_ms,
            "ended_at_ms": self.ended_at_ms,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputChunk:
    """A run of bytes of one step's output (stdout and stderr as they came).

    `offset` counts the step's raw bytes before this chunk. The sender keeps chunk borders when it
    repeats a report, so (step, offset) names the same bytes for ever.
    """

    step: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a supervisor sends while it runs. Safe to repeat."""

    heartbeat: bool
    steps: tuple[StepRecord, ...]
    output: tuple[OutputChunk, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The end of an attempt, stored before the job is finished. Safe to repeat."""

    outcome: Outcome
    reason: str
    steps: tuple[StepRecord, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the wire shape, which is also the stored one."""
        return {
            "version": WIRE_VERSION,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "steps": [step.to_json() for step in self.steps],
        }


def parse_report(value: object) -> Report:
    """Return the report in a decoded JSON body.

    Shape: `{"version": 1, "heartbeat": bool, "steps": [step], "output": [{"step": n, "offset": n,
    "data": base64 of zlib}]}`; a step is what `StepRecord.to_json` gives.

    Raises:
        PayloadError: anything is missing, of the wrong type, too large, or does not unpack.
    """
    body = _envelope(value)
    heartbeat = body.get("heartbeat", False)
    if not isinstance(heartbeat, bool):
        raise PayloadError(reason="heartbeat is not a boolean")
    chunks = _list(body, "output", MAX_CHUNKS)
    return Report(
        heartbeat=heartbeat,
        steps=_steps(body),
        output=tuple(_chunk(_mapping(chunk, "output")) for chunk in chunks),
    )


def parse_result(value: object) -> Result:
    """Return the result in a decoded JSON body, or in a stored result.

    Raises:
        PayloadError: anything is missing, of the wrong type or too large.
    """
    body = _envelope(value)
    try:
        outcome = Outcome(_text(body, "outcome"))
    except ValueError as error:
        raise PayloadError(reason="outcome is not one of ours") from error
    return Result(outcome=outcome, reason=_text(body, "reason"), steps=_steps(body))


def _envelope(value: object) -> Mapping[str, Any]:
    body = _mapping(value, "body")
    if body.get("version") != WIRE_VERSION:
        raise PayloadError(reason=f"version is not {WIRE_VERSION}")
    return body


def _steps(body: Mapping[str, Any]) -> tuple[StepRecord, ...]:
    return tuple(_step(_mapping(step, "steps")) for step in _list(body, "steps", MAX_STEPS))


def _step(value: Mapping[str, Any]) -> StepRecord:
    try:
        state = StepState(_text(value, "state"))
    except ValueError as error:
        raise PayloadError(reason="state is not one of ours") from error
    return StepRecord(
        index=_number(value, "index", MAX_STEPS - 1),
        name=_text(value, "name"),
        state=state,
        exit_status=_optional_number(value, "exit_status", 255),
        started_at_ms=_optional_number(value, "started_at_ms", _MAX_MS),
        ended_at_ms=_optional_number(value, "ended_at_ms", _MAX_MS),
        detail=_text(value, "detail"),
    )


def _chunk(value: Mapping[str, Any]) -> OutputChunk:
    packed = value.get("data")
    if not isinstance(packed, str):
        raise PayloadError(reason="data is not text")
    return OutputChunk(
        step=_number(value, "step", MAX_STEPS - 1),
        offset=_number(value, "offset", _MAX_OFFSET),
        data=_unpack(packed),
    )


def _unpack(packed: str) -> bytes:
    # The bound is on what comes out: a small zlib stream can unpack to gigabytes.
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(base64.b64decode(packed, validate=True), MAX_CHUNK_BYTES + 1)
    except (zlib.error, binascii.Error, ValueError) as error:
        raise PayloadError(reason="data is not base64 of zlib") from error
    if len(data) > MAX_CHUNK_BYTES:
        raise PayloadError(reason=f"a chunk holds more than {MAX_CHUNK_BYTES} bytes", status=413)
    if not unpacker.eof or not data:
        raise PayloadError(reason="data is cut short or empty")
    return data


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise PayloadError(reason=f"{name} is not an object")
    return value


def _list(value: Mapping[str, Any], name: str, most: int) -> list[Any]:
    items = value.get(name, [])
    if not isinstance(items, list) or len(items) > most:
        raise PayloadError(reason=f"{name} is not a list of at most {most}")
    return items


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str):
        raise PayloadError(reason=f"{name} is not text")
    # A lone surrogate is legal JSON and breaks every encoder behind this point.
    return text.encode("utf-8", "replace").decode()[:_MAX_TEXT]


def _number(value: Mapping[str, Any], name: str, most: int) -> int:
    number = value.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= most:
        raise PayloadError(reason=f"{name} is not a whole number from 0 to {most}")
    return number


def _optional_number(value: Mapping[str, Any], name: str, most: int) -> int | None:
    return None if value.get(name) is None else _number(value, name, most)
