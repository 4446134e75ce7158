"""What a supervisor may send: ours come through whole, a stranger's are refused and never crash."""

import base64
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import PayloadError
from chalicelib.model import (
    MAX_CHUNK_BYTES,
    Outcome,
    Result,
    StepRecord,
    StepState,
    parse_report,
    parse_result,
)

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)
_NUMBERS = st.none() | st.integers(min_value=0, max_value=255)
_STEPS = st.builds(
    StepRecord,
    index=st.integers(min_value=0, max_value=499),
    name=st.text(st.characters(exclude_categories=["Cs"]), max_size=50),
    state=st.sampled_from(StepState),
    exit_status=_NUMBERS,
    started_at_ms=_NUMBERS,
    ended_at_ms=_NUMBERS,
    detail=st.text(st.characters(exclude_categories=["Cs"]), max_size=50),
)


def _packed(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw)).decode()


def _report(**changes: Any) -> dict[str, Any]:
    return {"version": 1, "heartbeat": False, "steps": [], "output": [], **changes}


def _chunk(**changes: Any) -> dict[str, Any]:
    return {"step": 0, "offset": 0, "data": _packed(b"x"), **changes}


@given(st.binary(min_size=1, max_size=2000), st.integers(min_value=0, max_value=1 << 40))
def test_any_bytes_come_through_whole(raw: bytes, offset: int) -> None:
    report = parse_report(_report(output=[_chunk(offset=offset, data=_packed(raw))]))

    assert report.output[0].data == raw
    assert report.output[0].offset == offset


@given(st.lists(_STEPS, max_size=5), st.sampled_from(Outcome))
def test_a_result_survives_the_wire(steps: list[StepRecord], outcome: Outcome) -> None:
    result = Result(outcome=outcome, reason="because", steps=tuple(steps))

    assert parse_result(json.loads(json.dumps(result.to_json()))) == result


@given(_JSON)
def test_a_strangers_json_is_refused_or_read_and_never_crashes(value: Any) -> None:
    for parse in (parse_report, parse_result):
        try:
            parse(value)
        except PayloadError as error:
            assert error.status in {400, 413}  # noqa: PT017 - either end is fine, no other error is


@given(st.dictionaries(st.sampled_from(["version", "heartbeat", "steps", "output"]), _JSON), _JSON)
def test_a_nearly_right_report_never_crashes(changes: dict[str, Any], chunk: Any) -> None:
    for body in (_report(**changes), _report(output=[chunk]), _report(steps=[chunk])):
        try:
            parse_report(body)
        except PayloadError as error:
            assert error.reason  # noqa: PT017 - either end is fine, no other error is


def test_a_small_stream_that_unpacks_to_gigabytes_is_refused() -> None:
    bomb = _packed(bytes(MAX_CHUNK_BYTES + 1))

    with pytest.raises(PayloadError) as caught:
        parse_report(_report(output=[_chunk(data=bomb)]))

    assert caught.value.status == 413


@pytest.mark.parametrize(
    "changes",
    [
        {"data": "not base64!"},
        {"data": _packed(b"")},
        {"data": base64.b64encode(zlib.compress(b"whole")[:-3]).decode()},
        {"data": 3},
        {"offset": -1},
        {"offset": True},
        {"step": 500},
        {"step": "0"},
    ],
)
def test_a_malformed_chunk_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(PayloadError):
        parse_report(_report(output=[_chunk(**changes)]))


def test_too_many_chunks_are_refused() -> None:
    with pytest.raises(PayloadError, match="at most 16"):
        parse_report(_report(output=[_chunk()] * 17))


def test_a_lone_surrogate_does_not_reach_the_store() -> None:
    result = parse_result({"version": 1, "outcome": "failed", "reason": "a\ud800b", "steps": []})

    assert result.reason.encode()
