from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model import Outcome, StepState, parse_result
from chalicelib.supervisor.attempt import Step
from chalicelib.supervisor.verdict import (
    CANCELLED,
    FAILED,
    RUNNING,
    SKIPPED,
    SUCCEEDED,
    TIMED_OUT,
    WAITING,
    Ending,
    Record,
    initial_records,
    interrupted,
    next_step,
    outcome,
    runs,
    with_skipped,
)

_WHENS = ["on_success", "on_fail", "always"]
_RESULTS = [SUCCEEDED, FAILED, TIMED_OUT]


@pytest.mark.parametrize(
    ("when", "after_success", "after_failure"),
    [("on_success", True, False), ("on_fail", False, True), ("always", True, True)],
    ids=_WHENS,
)
def test_when_decides(when: str, *, after_success: bool, after_failure: bool) -> None:
    assert runs(when, failed=False) is after_success
    assert runs(when, failed=True) is after_failure


def _play(whens: list[str], results: list[str]) -> tuple[Record, ...]:
    steps = [Step(index=n, kind="run", name=f"s{n}", when=when) for n, when in enumerate(whens)]
    records = initial_records(steps)
    while True:
        step = next_step(steps, records)
        records = with_skipped(records, before=step.index if step else None)
        if step is None:
            return records
        assert records[step.index].state == WAITING
        state = results[step.index]
        status = 0 if state == SUCCEEDED else 2
        done = replace(records[step.index], state=state, exit_status=status, detail="why")
        records = (*records[: step.index], done, *records[step.index + 1 :])


@given(plan=st.lists(st.tuples(st.sampled_from(_WHENS), st.sampled_from(_RESULTS)), min_size=1))
def test_each_step_runs_or_is_skipped_by_what_came_before_it(plan: list[tuple[str, str]]) -> None:
    records = _play([when for when, _ in plan], [result for _, result in plan])

    failed = False
    for record, (when, result) in zip(records, plan, strict=True):
        assert record.state == (result if runs(when, failed=failed) else SKIPPED)
        failed = failed or record.state in (FAILED, TIMED_OUT)
    assert outcome(records, None)[0] == (FAILED if failed else SUCCEEDED)


@given(
    states=st.lists(st.sampled_from([*_RESULTS, RUNNING, WAITING, SKIPPED]), min_size=1),
    kind=st.sampled_from(["cancelled", "timed_out", "infrastructure"]),
)
def test_an_interrupted_attempt_leaves_no_step_open(states: list[str], kind: str) -> None:
    records = [Record(n, f"s{n}", state) for n, state in enumerate(states)]

    after = interrupted(records, Ending(kind, "why"), now_ms=5)

    assert not {RUNNING, WAITING} & {record.state for record in after}
    for before, record in zip(records, after, strict=True):
        if before.state == RUNNING:
            assert record.state == (TIMED_OUT if kind == "timed_out" else CANCELLED)
        elif before.state != WAITING:
            assert record == before


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (Record(0, "X", FAILED, exit_status=2), "step 'X' exited with 2"),
        (Record(0, "X", FAILED, detail="no git"), "step 'X': no git"),
        (
            Record(0, "X", TIMED_OUT, exit_status=137, detail="no output for 10 min"),
            "step 'X': no output for 10 min",
        ),
    ],
    ids=["status", "refused", "silent"],
)
def test_the_first_bad_step_is_the_reason(record: Record, reason: str) -> None:
    records = [record, Record(1, "Y", FAILED, exit_status=9)]

    assert outcome(records, None) == (FAILED, reason)


@given(state=st.sampled_from([state.value for state in StepState]), text=st.text(max_size=50))
def test_the_control_plane_reads_what_is_sent(state: str, text: str) -> None:
    record = Record(3, text, state, exit_status=1, started_at_ms=1, ended_at_ms=2, detail=text)
    body = {"version": 1, "outcome": "failed", "reason": text, "steps": [record.to_json()]}

    result = parse_result(body)

    assert result.outcome is Outcome.FAILED
    assert result.steps[0].state.value == state
    assert Record.from_json(record.to_json()) == record
