"""Faults of DynamoDB that no emulator produces, each an `Interrupt` for `MemoryDynamo`.

They are those of section 3.1 of the queue protocol's list: errors before and after a call took
effect, repeats, contention, batches that are left over, tokens that are forgotten.
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ReadTimeoutError

from chalicelib.queue.memory import Answer, Apply, Interrupt
from chalicelib.queue.memory_errors import cancelled, client_error

__all__ = [
    "answer_lost",
    "conflict",
    "conflict_at",
    "failed_after",
    "failed_before",
    "in_progress",
    "left_over",
    "never_arrived",
    "on_operation",
    "refused_with",
    "sent_twice",
    "throttled",
    "token_forgotten",
]


def never_arrived(_operation: str, _request: Mapping[str, Any], _apply: Apply) -> Answer:
    """Lose the call itself."""
    raise ReadTimeoutError(endpoint_url="memory:")


def answer_lost(_operation: str, _request: Mapping[str, Any], apply: Apply) -> Answer:
    """Make the call, which may fail as it likes, and lose its answer."""
    apply()
    raise ReadTimeoutError(endpoint_url="memory:")


def failed_before(operation: str, _request: Mapping[str, Any], _apply: Apply) -> Answer:
    """Answer 500 and do nothing."""
    raise client_error(operation, "InternalServerError", "Internal server error")


def failed_after(operation: str, _request: Mapping[str, Any], apply: Apply) -> Answer:
    """Answer 500 although the call took effect, as the API allows for every write."""
    apply()
    raise client_error(operation, "InternalServerError", "Internal server error")


def sent_twice(_operation: str, _request: Mapping[str, Any], apply: Apply) -> Answer:
    """Make the call twice, as a network may, and give the second answer."""
    apply()
    return apply()


def throttled(operation: str, request: Mapping[str, Any], _apply: Apply) -> Answer:
    """Refuse for lack of throughput: a transaction by the reason of each of its positions."""
    if operation == "TransactWriteItems":
        raise cancelled([{"Code": "ThrottlingError"} for _ in request["TransactItems"]])
    raise client_error(operation, "ProvisionedThroughputExceededException", "slow down")


def conflict(operation: str, request: Mapping[str, Any], apply: Apply) -> Answer:
    """Refuse because a transaction holds an item: the first one, in a transaction."""
    return conflict_at(0)(operation, request, apply)


def conflict_at(position: int) -> Interrupt:
    """Return the fault that a transaction holds the item at that position, or the single one."""

    def fault(operation: str, request: Mapping[str, Any], _apply: Apply) -> Answer:
        if operation != "TransactWriteItems":
            raise client_error(operation, "TransactionConflictException", "ongoing transaction")
        count = len(request["TransactItems"])
        reasons: list[dict[str, Any]] = [{"Code": "None"} for _ in range(count)]
        reasons[position % count] = {"Code": "TransactionConflict", "Message": "ongoing"}
        raise cancelled(reasons)

    return fault


def in_progress(operation: str, _request: Mapping[str, Any], apply: Apply) -> Answer:
    """Take the call and say that it is still being worked on, as it is: a repeat finds it done."""
    apply()
    raise client_error(operation, "TransactionInProgressException", "in progress")


def left_over(operation: str, request: Mapping[str, Any], apply: Apply) -> Answer:
    """Do the first half of a batch, at least nothing of one item, and hand back the rest."""
    ((table, page),) = request["RequestItems"].items()
    listed = page["Keys"] if operation == "BatchGetItem" else page
    half = len(listed) // 2

    def part(some: Any) -> dict[str, Any]:
        return {table: {**page, "Keys": some} if operation == "BatchGetItem" else some}

    field = "UnprocessedKeys" if operation == "BatchGetItem" else "UnprocessedItems"
    empty: Answer = {"Responses": {}} if operation == "BatchGetItem" else {}
    done = apply({**request, "RequestItems": part(listed[:half])}) if half else empty
    return {**done, field: part(listed[half:])}


def token_forgotten(_operation: str, request: Mapping[str, Any], apply: Apply) -> Answer:
    """Make the call without its token, so that its repeats are not known, as after ten minutes."""
    return apply({name: each for name, each in request.items() if name != "ClientRequestToken"})


def refused_with(code: str) -> Interrupt:
    """Return the fault that answers that error code and does nothing."""

    def fault(operation: str, _request: Mapping[str, Any], _apply: Apply) -> Answer:
        raise client_error(operation, code, "made by a fault")

    return fault


def on_operation(operation: str, *faults: Interrupt) -> Interrupt:
    """Return what brings these faults, in order, to the next calls of one operation alone."""
    waiting = list(faults)

    def fault(called: str, request: Mapping[str, Any], apply: Apply) -> Answer:
        if called != operation or not waiting:
            return apply()
        return waiting.pop(0)(called, request, apply)

    return fault
