"""Step records as they are stored, and which of two is the newer one."""

from collections.abc import Iterable, Sequence
from typing import Any

from chalicelib.model import Outcome, StepRecord, StepState, parse_result

__all__ = ["is_over", "parse_records", "rank", "steps_over"]

_UNFINISHED = frozenset({StepState.WAITING, StepState.RUNNING})


def is_over(record: StepRecord) -> bool:
    """Return whether the step has reached a state that it does not leave."""
    return record.state not in _UNFINISHED


def rank(record: StepRecord) -> int:
    """Return how far the record's state is: a record never replaces one of a higher rank."""
    if is_over(record):
        return 2
    return 1 if record.state is StepState.RUNNING else 0


def parse_records(values: Sequence[Any]) -> tuple[StepRecord, ...]:
    """Return the records that `StepRecord.to_json` wrote.

    Raises:
        PayloadError: something else wrote them.
    """
    envelope = {"version": 1, "outcome": Outcome.SUCCEEDED.value, "reason": ""}
    return parse_result({**envelope, "steps": list(values)}).steps


def steps_over(records: Iterable[StepRecord]) -> int:
    """Return n such that the records prove steps 0 to n - 1 to be over.

    Steps run one after another, so a step that has started proves all before it over, even those
    without a record of their own. A later step that was only marked (skipped, cancelled before its
    turn) proves nothing of the earlier ones.

    >>> steps_over([StepRecord(index=0, name="a", state=StepState.SUCCEEDED, started_at_ms=1)])
    1
    >>> steps_over([StepRecord(index=2, name="c", state=StepState.RUNNING, started_at_ms=1)])
    2
    """
    by_index = {record.index: record for record in records}
    started = (index for index, record in by_index.items() if record.started_at_ms is not None)
    over = max(started, default=0)
    while over in by_index and is_over(by_index[over]):
        over += 1
    return over
