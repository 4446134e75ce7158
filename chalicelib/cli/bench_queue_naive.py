"""The designs that come to mind first, measured with the same work on the same emulator.

Each is as its textbook has it, and none is held back: the items of the scan are the smallest that do.
What they are and why Berth does otherwise: docs/decisions/0002-queue-protocol.md.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError
from pynamodb.connection import Connection

from chalicelib.cli.bench_table import MeteredConnection
from chalicelib.queue.units import item_bytes, read_units

__all__ = [
    "HEARTBEATS",
    "document_units",
    "filter_scan_units",
    "head_of_lane_waste",
    "textbook_units",
]

HEARTBEATS = 20
"""Of a job of ten minutes, one every 30 s."""

_DOCUMENT_BYTES = 3_900
"""An item of four kilobytes as it is billed, with room for what its changes add."""
_PUT_AT_ONCE = 25
_BY_STATE = ("by_state", "state", "created")
_BY_TENANT = ("by_tenant", "tenant", "created")

Index = tuple[str, str, str]
Request = dict[str, Any]


def textbook_units(connection: MeteredConnection) -> Mapping[str, float]:
    """Return write units of a job by phase: an item for each thing, and transactions over all.

    Five tables: deliveries, builds with an index by state, attempts, and counters of what tenants
    and hosts hold. Heartbeats are written to the build.
    """
    for name in ("deliveries", "attempts", "tenants", "hosts"):
        _create(connection, name)
    _create(connection, "builds", _BY_STATE, projection="KEYS_ONLY")

    def moved(state: str, before: str) -> Request:
        return _change("builds", "b1", {"state": state}, only_if={"state": before})

    tenant, host = _change("tenants", "t1", {"held": "1"}), _change("hosts", "h1", {"held": "1"})
    build = {"id": "b1", "state": "queued", "created": "2026", "tenant": "t1"}
    attempt = {"id": "b1-1", "state": "leased"}
    ended = _change("attempts", "b1-1", {"state": "ended"})
    phases = {
        "dedupe": [
            [_put("deliveries", {"id": "d1", "state": "received"})],
            [_change("deliveries", "d1", {"state": "done"})],
        ],
        "admit": [[_put("builds", build), tenant]],
        "claim": [[moved("leased", "queued"), tenant, host, _put("attempts", attempt)]],
        "run": [[moved("running", "leased")]],
        "heartbeats": _heartbeats("builds"),
        "finish": [[moved("done", "running"), tenant, host, ended]],
    }
    return {name: _written(connection, writes) for name, writes in phases.items()}


def document_units(connection: MeteredConnection) -> Mapping[str, float]:
    """Return write units of a job by phase: one document, all of it in both of its indexes.

    Its config, environment and commits are in it, 4 KB together. Heartbeats are written to it.
    """
    _create(connection, "documents", _BY_STATE, _BY_TENANT, projection="ALL")
    document = {
        "id": "b1",
        "state": "queued",
        "created": "2026",
        "tenant": "t1",
        "config": "x" * _DOCUMENT_BYTES,
    }

    def moved(state: str, before: str) -> Request:
        return _change("documents", "b1", {"state": state}, only_if={"state": before})

    _create(connection, "seen-deliveries")
    phases = {
        "dedupe": [
            [_put("seen-deliveries", {"id": "d1", "state": "received"})],
            [_change("seen-deliveries", "d1", {"state": "done"})],
        ],
        "admit": [[_put("documents", document)]],
        "claim": [[moved("leased", "queued")]],
        "run": [[moved("running", "leased")]],
        "heartbeats": _heartbeats("documents"),
        "finish": [[moved("done", "running")]],
    }
    return {name: _written(connection, writes) for name, writes in phases.items()}


def filter_scan_units(connection: MeteredConnection, *, backlog: int) -> float:
    """Return read units of one look for a job that may run, past so many that may not.

    The queue is an index by state, and what belongs to a tenant at its limit is filtered away. One
    tenant has filled the queue; the next one waits behind. Filtered items are read and paid for
    (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.FilterExpression.html>),
    which the emulator leaves out of its account: the units are ours, for what it says it has read.
    """
    table = f"scanned-{backlog}"
    _create(connection, table, _BY_STATE, projection="ALL")
    tenants = [*["full"] * backlog, "quiet"]
    _fill(connection, table, [{"id": f"{n:06d}", "tenant": t} for n, t in enumerate(tenants)])
    entry_bytes = item_bytes(_raw({**_queued("000000"), "tenant": "full"}))
    request: Request = {
        "TableName": table,
        "IndexName": _BY_STATE[0],
        "KeyConditionExpression": "#state = :queued",
        "FilterExpression": "NOT tenant IN (:full)",
        "ExpressionAttributeNames": {"#state": "state"},
        "ExpressionAttributeValues": {":queued": {"S": "queued"}, ":full": {"S": "full"}},
    }
    units = 0.0
    while True:
        answer = connection.dispatch("Query", request)
        units += read_units(answer["ScannedCount"] * entry_bytes, consistent=False)
        if answer["Items"]:
            return units
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def head_of_lane_waste(
    connection: MeteredConnection, *, backlog: int, claimers: int, claims: int
) -> tuple[float, int]:
    """Return writes wasted for each claim, and the claims, when everybody takes the head."""
    _create(connection, "heads", _BY_STATE, projection="KEYS_ONLY")
    _fill(connection, "heads", [{"id": f"{number:06d}"} for number in range(backlog)])
    together = threading.Barrier(claimers)
    won: list[str] = []

    def work() -> None:
        together.wait()
        while len(won) < claims and (job := _head(connection)) is not None:
            claim = _change("heads", job, {"state": "leased"}, only_if={"state": "queued"})
            with suppress(ClientError):  # another one has it
                connection.dispatch("UpdateItem", claim["Update"])
                won.append(job)

    before = connection.cost
    with ThreadPoolExecutor(claimers) as threads:
        for done in [threads.submit(work) for _ in range(claimers)]:
            done.result()
    spent = connection.cost - before
    return (spent.refused + spent.conflicts) / len(won), len(won)


def _head(connection: Connection) -> str | None:
    answer = connection.dispatch(
        "Query",
        {
            "TableName": "heads",
            "IndexName": _BY_STATE[0],
            "KeyConditionExpression": "#state = :queued",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {":queued": {"S": "queued"}},
            "Limit": 1,
        },
    )
    return answer["Items"][0]["id"]["S"] if answer["Items"] else None


def _create(connection: Connection, name: str, *indexes: Index, projection: str = "ALL") -> None:
    keys = {"id", *(key for index in indexes for key in index[1:])}
    request: Request = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": key, "AttributeType": "S"} for key in sorted(keys)
        ],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    }
    if indexes:
        request["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": hash_key, "KeyType": "HASH"},
                    {"AttributeName": sort_key, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": projection},
            }
            for index, hash_key, sort_key in indexes
        ]
    connection.dispatch("CreateTable", request)


def _fill(connection: Connection, table: str, items: Sequence[Mapping[str, str]]) -> None:
    """Put the items, queued in the order of their ids."""
    requests = [{"PutRequest": {"Item": _raw({**_queued(item["id"]), **item})}} for item in items]
    for start in range(0, len(requests), _PUT_AT_ONCE):
        page = {table: requests[start : start + _PUT_AT_ONCE]}
        connection.dispatch("BatchWriteItem", {"RequestItems": page})


def _queued(item: str) -> Mapping[str, str]:
    return {"id": item, "state": "queued", "created": item}


def _written(connection: MeteredConnection, transactions: Sequence[Sequence[Request]]) -> float:
    """Make the writes, several at once as a transaction; return the units they took."""
    before = connection.cost
    for writes in transactions:
        if len(writes) > 1:
            connection.dispatch("TransactWriteItems", {"TransactItems": list(writes)})
            continue
        for kind, request in _single(writes):
            connection.dispatch(f"{kind}Item", request)
    return (connection.cost - before).written


def _single(writes: Sequence[Request]) -> Iterator[tuple[str, Request]]:
    for write in writes:
        yield from write.items()


def _heartbeats(table: str) -> list[list[Request]]:
    return [[_change(table, "b1", {"seen": f"{beat:013d}"})] for beat in range(HEARTBEATS)]


def _put(table: str, item: Mapping[str, str]) -> Request:
    condition = "attribute_not_exists(id)"
    return {"Put": {"TableName": table, "Item": _raw(item), "ConditionExpression": condition}}


def _change(
    table: str,
    item: str,
    values: Mapping[str, str],
    *,
    only_if: Mapping[str, str] | None = None,
) -> Request:
    expected = dict(only_if or {})
    request: Request = {
        "TableName": table,
        "Key": {"id": {"S": item}},
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in values),
        "ExpressionAttributeNames": {f"#{name}": name for name in values},
        "ExpressionAttributeValues": {f":{name}": {"S": text} for name, text in values.items()},
    }
    if expected:
        conditions = [f"#{name} = :old_{name}" for name in expected]
        request["ConditionExpression"] = " AND ".join(conditions)
        request["ExpressionAttributeValues"] |= {
            f":old_{name}": {"S": text} for name, text in expected.items()
        }
    return {"Update": request}


def _raw(item: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {name: {"S": text} for name, text in item.items()}
