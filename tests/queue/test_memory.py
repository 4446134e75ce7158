"""What the fake of DynamoDB does that no emulator does: faults, a late index, forgotten tokens."""

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from pynamodb.expressions.condition import size
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.clock import ManualClock
from chalicelib.queue.dynamodb_table import Change, DynamoTable, Key, Put, Refused
from chalicelib.queue.memory import Answer, Apply, Interrupt, MemoryDynamo, memory_table
from chalicelib.queue.memory_faults import (
    answer_lost,
    conflict_at,
    failed_after,
    failed_before,
    in_progress,
    left_over,
    never_arrived,
    on_operation,
    sent_twice,
    throttled,
    token_forgotten,
)
from chalicelib.queue.units import item_bytes

A = Key("a")


def change(*actions: Action, key: Key = A) -> Change:
    """Return an unconditional change."""
    return Change(key=key, actions=actions)


def place(lane: str, order: str = "1") -> list[Action]:
    """Return what puts an item into a partition of the index."""
    return [Path("q").set(lane), Path("o").set(order)]


def counted(table: DynamoTable) -> str | None:
    """Return how often the item was counted up."""
    found = table.get(A)
    return found["n"]["N"] if found else None


def shown(table: DynamoTable, lane: str) -> list[str]:
    """Return whose entries the partition shows."""
    return [pk for pk, _ in table.query(lane, limit=10)]


COUNT = change(Path("n").add(1))


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        (never_arrived, "1"),
        (failed_before, "1"),
        (throttled, "1"),
        (conflict_at(0), "1"),
        (answer_lost, "2"),
        (failed_after, "2"),
        (sent_twice, "2"),
    ],
    ids=["never-arrived", "500", "throttled", "conflict", "lost", "500-after", "twice"],
)
def test_a_fault_of_a_single_write_leaves_it_done_so_often(fault: Interrupt, times: str) -> None:
    table = memory_table(clock=ManualClock(), interrupt=on_operation("UpdateItem", fault))

    table.update("count", COUNT)

    assert counted(table) == times


@pytest.mark.parametrize(
    "fault",
    [never_arrived, answer_lost, failed_after, sent_twice, throttled, conflict_at(1), in_progress],
    ids=["never-arrived", "lost", "500-after", "twice", "throttled", "conflict", "in-progress"],
)
def test_a_fault_of_a_transaction_leaves_it_done_once(fault: Interrupt) -> None:
    """By its token."""
    table = memory_table(clock=ManualClock(), interrupt=on_operation("TransactWriteItems", fault))

    table.transact("count", COUNT, change(Path("n").add(1), key=Key("b")))

    assert counted(table) == "1"


def test_a_transaction_whose_token_is_forgotten_is_done_again() -> None:
    def lost_and_forgotten(operation: str, request: Mapping[str, Any], apply: Apply) -> Answer:
        token_forgotten(operation, request, apply)
        return never_arrived(operation, request, apply)

    fault = on_operation("TransactWriteItems", lost_and_forgotten)
    table = memory_table(clock=ManualClock(), interrupt=fault)

    table.transact("count", COUNT)

    assert counted(table) == "2"


@pytest.mark.parametrize(("minutes", "times"), [(9, "1"), (10, "2"), (11, "2")])
def test_a_token_lives_for_ten_minutes(minutes: int, times: str) -> None:
    clock, sent = ManualClock(), list[Mapping[str, Any]]()

    def keep(_operation: str, request: Mapping[str, Any], apply: Apply) -> Answer:
        sent.append(request)
        return apply()

    dynamo = MemoryDynamo(clock=clock, interrupt=keep)
    table = dynamo.table()

    table.transact("count", COUNT)
    clock.advance(timedelta(minutes=minutes))
    dynamo.call("TransactWriteItems", sent[0])

    assert counted(table) == times


def test_a_batch_that_is_left_over_is_done_by_and_by() -> None:
    fault = on_operation("BatchWriteItem", left_over, left_over, left_over)
    table = memory_table(clock=ManualClock(), interrupt=fault)
    items = [{"pk": {"S": f"{number}"}, "sk": {"S": "S"}} for number in range(5)]

    table.put_many("many", items)

    assert len(list(table.get_many(Key(f"{number}") for number in range(5)))) == 5


def test_an_entry_is_missed_until_it_has_come_and_is_a_ghost_until_it_has_gone() -> None:
    clock = ManualClock()
    table = memory_table(clock=clock, lag=lambda: timedelta(seconds=10))

    table.update("place", change(*place("lane")))
    missed = shown(table, "lane")
    clock.advance(timedelta(seconds=10))
    there = shown(table, "lane")
    table.update("leave", change(Path("q").remove()))
    ghost = shown(table, "lane")
    clock.advance(timedelta(seconds=10))

    assert (missed, there, ghost, shown(table, "lane")) == ([], ["a"], ["a"], [])


@given(lags=st.lists(st.integers(0, 30), min_size=12, max_size=12))
def test_changes_of_one_item_never_overtake_each_other(lags: list[int]) -> None:
    clock = ManualClock()
    waiting = iter(lags)
    table = memory_table(clock=clock, lag=lambda: timedelta(seconds=next(waiting)))

    for number in range(6):
        table.update("move", change(*place(f"lane-{number}")))
    seen = []
    for _ in range(31):
        seen += [number for number in range(6) if shown(table, f"lane-{number}")]
        clock.advance(timedelta(seconds=1))

    assert seen == sorted(seen)
    assert [number for number in range(6) if shown(table, f"lane-{number}")] == [5]


def test_what_is_returned_is_not_what_is_kept() -> None:
    table = memory_table()
    given_item: dict[str, Any] = {
        "pk": {"S": "a"},
        "sk": {"S": "S"},
        "m": {"M": {"x": {"L": [{"SS": ["1"]}]}}},
    }
    table.put("put", Put(item=given_item))

    kept = table.get(A)
    for each in (given_item, table.get(A), next(table.get_many([A]))):
        assert each is not None
        each["m"]["M"]["x"]["L"].clear()

    assert table.get(A) == kept


def test_a_snapshot_keeps_what_it_saw() -> None:
    dynamo = MemoryDynamo()
    table = dynamo.table()
    table.update("set", change(Path("m").set({"x": 1})))
    before, version = dict(dynamo.items()), dynamo.version

    table.update("set", change(Path("m.x").set(2)))

    assert before["a", "S"]["m"] == {"M": {"x": {"N": "1"}}}
    assert dynamo.items()["a", "S"]["m"] == {"M": {"x": {"N": "2"}}}
    assert dynamo.version == version + 1


def test_a_refused_write_is_no_version_but_costs() -> None:
    dynamo = MemoryDynamo()
    table = dynamo.table()
    refused = Change(key=A, actions=[Path("n").set(1)], condition=Path("pk").exists())

    single = table.update("refused", refused)
    together = table.transact("refused", refused, change(Path("n").set(1), key=Key("b")))

    assert isinstance(single, Refused)
    assert together is not None
    assert dynamo.version == 0
    assert dynamo.write_units == 1 + 2 * 2


@pytest.mark.parametrize(
    "actions",
    [
        [Path("m").set({}), Path("m.x").set(1)],
        [Path("n").set(1), Path("n").remove()],
        [Path("m.x").remove()],
    ],
    ids=["within", "twice", "parent-missing"],
)
def test_paths_that_clash_or_lead_nowhere_are_refused(actions: list[Action]) -> None:
    """Unlike in the emulator: https://github.com/scylladb/scylladb/issues/10043 for the last."""
    dynamo = MemoryDynamo()
    connection = dynamo.table()._connection
    request = connection.get_operation_kwargs("memory", "a", "S", actions=actions)

    with pytest.raises(ClientError, match="path") as caught:
        connection.dispatch("UpdateItem", request)

    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert not dynamo.items()


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("Scan", {"TableName": "memory"}),
        ("GetItem", {"TableName": "memory", "Key": {}, "ProjectionExpression": "n"}),
        ("Query", {"TableName": "memory", "IndexName": "GSI2"}),
    ],
    ids=["operation", "field", "index"],
)
def test_what_the_fake_does_not_know_is_no_answer(
    operation: str, request_: Mapping[str, Any]
) -> None:
    with pytest.raises(NotImplementedError):
        MemoryDynamo().call(operation, request_)


@given(texts=st.lists(st.sampled_from(("", "ab", "é" * 300)), min_size=1, max_size=8))
def test_sizes_are_followed_through_changes(texts: list[str]) -> None:
    """They are added up change by change, never taken again."""
    dynamo = MemoryDynamo()
    table = dynamo.table()
    for number, text in enumerate(texts):
        nested = (
            [Path("m").set(Path("m") | {})] if number == 0 else [Path(f"m.{text[:1]}x").set(text)]
        )
        table.update("set", change(Path("s").set(text), Path("n").add(number), *nested))
    table.update("remove", change(Path("s").remove(), Path("m.x").remove()))

    assert dynamo._stored["a", "S"][1] == item_bytes(dynamo.items()["a", "S"])


def test_sixteen_threads_fill_exactly_the_room_there_is() -> None:
    table = memory_table()
    table.update("room", change(Path("m").set({})))
    start = threading.Barrier(16)
    room: Any = size(Path("m"))  # type: ignore[no-untyped-call]  # pynamodb left it so

    def take(number: int) -> None:
        start.wait()
        for each in range(10):
            actions = [Path(f"m.x{number}_{each}").set(1)]
            table.transact("take", Change(key=A, actions=actions, condition=room < 50))

    threads = [threading.Thread(target=take, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = table.get(A)
    assert found is not None
    assert len(found["m"]["M"]) == 50


def test_an_interrupt_may_let_others_act_within_a_call() -> None:
    acted: list[Callable[[], object]] = []

    def interrupt(_operation: str, _request: Mapping[str, Any], apply: Apply) -> Answer:
        while acted:
            acted.pop()()
        return apply()

    table = memory_table(interrupt=interrupt)
    acted.append(lambda: table.update("count", COUNT))

    table.update("count", COUNT)

    assert counted(table) == "2"
