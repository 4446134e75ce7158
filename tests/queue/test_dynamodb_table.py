"""What the table does when the service is busy, away, or answers twice."""

from collections.abc import Callable
from typing import Protocol

import pytest

from chalicelib.clock import ManualClock
from chalicelib.errors import PayloadError, SettingError, StoreUnavailableError
from chalicelib.queue.dynamodb_items import TenantItem, tenant_key
from chalicelib.queue.dynamodb_table import Change, DynamoTable, Put, Refused
from chalicelib.queue.memory import Interrupt
from chalicelib.queue.memory_faults import (
    answer_lost,
    conflict,
    conflict_at,
    failed_before,
    left_over,
    never_arrived,
    refused_with,
    throttled,
)


class Disturbance(Protocol):
    """The fixture `disturbance`."""

    calls: list[str]
    clock: ManualClock

    def on(self, operation: str, *faults: Interrupt) -> None:
        """Let these faults happen to the next calls of the operation."""


def tenant(name: str) -> Put:
    """Return the write of a new tenant."""
    item = TenantItem(*tenant_key(name), jobs={}).serialize()
    return Put(item=item, condition=TenantItem.pk.does_not_exist())


def count(name: str) -> Change:
    """Return a change that counts how often it was applied."""
    return Change(
        key=tenant_key(name),
        actions=[TenantItem.limit.set((TenantItem.limit | 0) + 1)],
        condition=TenantItem.pk.exists(),
    )


def test_a_conflict_is_repeated_until_it_passes(
    table: DynamoTable, disturbance: Disturbance
) -> None:
    disturbance.on("TransactWriteItems", conflict, conflict, conflict)

    assert table.transact("try", tenant("a"), tenant("b")) is None

    assert disturbance.calls == ["TransactWriteItems"] * 4
    assert table.get(tenant_key("a")) is not None


def test_waits_grow_and_stay_below_a_second(table: DynamoTable, disturbance: Disturbance) -> None:
    start = disturbance.clock.now()
    disturbance.on("TransactWriteItems", *[conflict] * 9)

    table.transact("try", tenant("a"))

    waited = (disturbance.clock.now() - start).total_seconds()
    assert waited == pytest.approx(0.05 + 0.1 + 0.2 + 0.4 + 0.8 + 4 * 1.0)


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("TransactWriteItems", conflict_at(1)),
        ("TransactWriteItems", refused_with("TransactionInProgressException")),
        ("TransactWriteItems", throttled),
        ("UpdateItem", conflict),
        ("UpdateItem", refused_with("ThrottlingException")),
        ("GetItem", throttled),
        ("Query", never_arrived),
        ("UpdateItem", never_arrived),
        ("GetItem", failed_before),
        ("BatchGetItem", refused_with("RequestLimitExceeded")),
    ],
    ids=[
        "conflict",
        "transaction-in-progress",
        "transaction-throttled",
        "conflict-with-transaction",
        "write-throttled",
        "read-throttled",
        "query-lost",
        "write-lost",
        "internal-error",
        "request-limit",
    ],
)
def test_what_does_not_pass_is_given_up_in_bounded_time(
    table: DynamoTable,
    disturbance: Disturbance,
    operation: str,
    fault: Interrupt,
) -> None:
    disturbance.on(operation, *[fault] * 50)
    start = disturbance.clock.now()
    calls: dict[str, Callable[[], object]] = {
        "TransactWriteItems": lambda: table.transact("try", tenant("a")),
        "UpdateItem": lambda: table.update("try", count("a")),
        "GetItem": lambda: table.get(tenant_key("a")),
        "Query": lambda: table.query("V", limit=1),
        "BatchGetItem": lambda: list(table.get_many([tenant_key("a")])),
    }

    with pytest.raises(StoreUnavailableError):
        calls[operation]()

    assert len(disturbance.calls) <= 10
    assert (disturbance.clock.now() - start).total_seconds() < 10


def test_a_transaction_whose_answer_is_lost_is_applied_once(
    table: DynamoTable, disturbance: Disturbance
) -> None:
    """The token says so for ten minutes; the verbs' conditions say so for ever."""
    table.put("try", tenant("a"))
    disturbance.on("TransactWriteItems", answer_lost, answer_lost)

    assert table.transact("try", count("a")) is None

    raw = table.get(tenant_key("a"))
    assert raw is not None
    assert raw["lim"] == {"N": "1"}


def test_a_write_refused_after_a_lost_answer_says_so(
    table: DynamoTable, disturbance: Disturbance
) -> None:
    disturbance.on("PutItem", answer_lost)

    refused = table.put("try", tenant("a"))

    assert refused is not None
    assert refused.repeated
    assert refused.item["pk"] == {"S": "T#a"}


def test_a_refusal_brings_what_was_met(table: DynamoTable) -> None:
    table.put("try", tenant("a"))

    single = table.update("try", count("b"))
    together = table.transact("try", tenant("c"), tenant("a"))

    assert single == Refused(item={})
    assert together is not None
    assert together[0] is None
    assert together[1] is not None
    assert together[1].item["pk"] == {"S": "T#a"}
    assert table.get(tenant_key("c")) is None


def test_a_table_that_is_not_there_is_for_an_operator(
    table: DynamoTable, other_table: DynamoTable
) -> None:
    missing = DynamoTable("no-such-table", connection=other_table._connection)

    with pytest.raises(SettingError):
        missing.get(tenant_key("a"))
    assert table.get(tenant_key("a")) is None


def test_an_item_that_is_too_large_is_the_senders_fault(table: DynamoTable) -> None:
    item = TenantItem(*tenant_key("a"), jobs={f"{number:016d}": 1 for number in range(30_000)})

    with pytest.raises(PayloadError) as caught:
        table.put("try", Put(item=item.serialize()))
    assert caught.value.status == 413


def test_what_is_left_over_by_a_batch_is_sent_again(
    table: DynamoTable, disturbance: Disturbance
) -> None:
    names = ["a", "b", "c"]
    items = [tenant(name).item for name in names]
    disturbance.on("BatchWriteItem", left_over)
    disturbance.on("BatchGetItem", left_over, left_over)

    table.put_many("try", items)
    found = list(table.get_many(tenant_key(name) for name in names))

    assert sorted(raw["pk"]["S"] for raw in found) == ["T#a", "T#b", "T#c"]
    assert disturbance.calls == ["BatchWriteItem"] * 2 + ["BatchGetItem"] * 3
