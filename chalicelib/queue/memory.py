"""The verified fake of DynamoDB: one table with the queue's index, in this process's memory.

It stands in pynamodb's connection in place of the client, so all that `dynamodb*.py` do (conditions,
retries, tokens, the looks at what a refusal met) runs unchanged, and fast enough to be simulated.
`tests/contract/test_memory_dynamo.py` holds it equal to an emulator. A field of a request that it
does not know is an error of its own: it may know less than DynamoDB, but nothing else.

What no emulator does, `memory_faults.py` does by way of `MemoryDynamo.interrupt`, and `lag` makes
the index late. Product code never imports this.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from pynamodb.connection import Connection

from chalicelib.clock import Clock, SystemClock
from chalicelib.queue.dynamodb_table import DynamoTable
from chalicelib.queue.dynamodb_versions import ITEM_VERSION
from chalicelib.queue.memory_conditions import parse_key_condition
from chalicelib.queue.memory_errors import (
    InvalidError,
    InvalidItemError,
    cancelled,
    client_error,
)
from chalicelib.queue.memory_index import Lag, LaggingIndex, Where
from chalicelib.queue.memory_meter import Meter
from chalicelib.queue.memory_requests import (
    MOST_ACTIONS,
    MOST_GETS,
    MOST_PUTS,
    check_batch,
    check_fields,
    items_of,
    page_of,
    shown,
    start_of,
)
from chalicelib.queue.memory_values import Item, handed_out
from chalicelib.queue.memory_writes import Key, Stored, Write, key_of
from chalicelib.queue.units import read_units
from chalicelib.wait import Randomness

__all__ = ["Answer", "Apply", "Interrupt", "MemoryDynamo", "memory_table"]

Answer = Mapping[str, Any]
Apply = Callable[..., Answer]
"""Makes the call and returns its answer, or raises; takes another request in place of the call's."""
Interrupt = Callable[[str, Mapping[str, Any], Apply], Answer]
"""Gets (operation, request, apply): calls `apply` never, once or more, and answers or raises."""

_TOKEN_LIFE = timedelta(minutes=10)
_INDEX = "GSI1"
_INDEX_KEYS: Sequence[str] = ("pk", "sk", "q", "o")


class _Done(NamedTuple):
    """A transaction that was applied: what a repeat of its token is compared with and told."""

    body: Mapping[str, Any]
    at: datetime
    read_units: float


class MemoryDynamo:
    """A table with keys (pk, sk) and a sparse KEYS_ONLY index (q, o). Safe to share among threads.

    Attributes:
        name: the table's.
        interrupt: comes around every request; None: nothing does.
        version: one more with each item that is written or deleted.
    """

    def __init__(
        self,
        *,
        name: str = "memory",
        clock: Clock | None = None,
        interrupt: Interrupt | None = None,
        lag: Lag | None = None,
    ) -> None:
        """Start empty.

        Args:
            name: the table's; requests for another one are refused.
            clock: the service's own, for the life of tokens and the lag; default: the machine's.
            interrupt: see the attribute.
            lag: how late each removal from the index and each addition is; default: not at all.
        """
        self.name = name
        self.interrupt = interrupt
        self.version = 0
        self._meter = Meter(name)
        self._clock = clock or SystemClock()
        self._lock = threading.RLock()
        self._stored: dict[Key, Stored] = {}
        self._items: dict[Key, Item] = {}
        self._index = LaggingIndex(clock=self._clock, lag=lag)
        self._tokens: dict[str, _Done] = {}
        self._operations = {
            "GetItem": self._get,
            "BatchGetItem": self._get_batch,
            "Query": self._query,
            "PutItem": lambda request: self._write("Put", request),
            "UpdateItem": lambda request: self._write("Update", request),
            "DeleteItem": lambda request: self._write("Delete", request),
            "BatchWriteItem": self._write_batch,
            "TransactWriteItems": self._transact,
        }

    def call(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """Answer a request as botocore's client does.

        Raises:
            ClientError: as DynamoDB's.
            NotImplementedError: the fake has no such operation or field.
        """

        def apply(changed: Mapping[str, Any] | None = None) -> Answer:
            return self._apply(operation, request if changed is None else changed)

        return apply() if self.interrupt is None else self.interrupt(operation, request, apply)

    def items(self) -> Mapping[Key, Mapping[str, Any]]:
        """Return all items by (pk, sk): a live view, not to be changed.

        The items in it are replaced and never changed, so `dict(items())` is a lasting snapshot.
        """
        return MappingProxyType(self._items)

    @property
    def write_units(self) -> float:
        """Write units consumed so far, by refused writes too, of which no answer tells (T4)."""
        return self._meter.written

    @property
    def read_units(self) -> float:
        """Read units consumed so far."""
        return self._meter.read

    def forget_tokens(self) -> None:
        """Forget which transactions were applied, as DynamoDB does after ten minutes."""
        with self._lock:
            self._tokens.clear()

    def connection(self) -> Connection:
        """Return a connection of pynamodb's whose calls are answered here."""
        return _MemoryConnection(self)

    def table(
        self,
        *,
        clock: Clock | None = None,
        random: Randomness | None = None,
        on_write_units: Callable[[str, float], None] | None = None,
        version: int = ITEM_VERSION,
    ) -> DynamoTable:
        """Return one caller's view of the table; each may have a clock and a version of its own."""
        return DynamoTable(
            self.name,
            clock=clock or self._clock,
            random=random,
            on_write_units=on_write_units,
            connection=self.connection(),
            version=version,
        )

    def _apply(self, operation: str, request: Mapping[str, Any]) -> Answer:
        if operation not in self._operations:
            raise NotImplementedError(f"the fake has no operation {operation}")
        check_fields(operation, request)
        try:
            with self._lock:
                return self._operations[operation](request)
        except (InvalidError, InvalidItemError) as error:
            raise client_error(operation, "ValidationException", str(error)) from None

    def _get(self, request: Mapping[str, Any]) -> Answer:
        self._check_table("GetItem", request["TableName"])
        item, size = self._stored.get(key_of(request["Key"])) or (None, 0)
        units = read_units(size, consistent=bool(request.get("ConsistentRead")))
        answer = {"Item": handed_out(item)} if item else {}
        return {**answer, **self._meter.reads(request, units)}

    def _get_batch(self, request: Mapping[str, Any]) -> Answer:
        page = self._only_table("BatchGetItem", request)
        keys = [key_of(key) for key in page["Keys"]]
        check_batch(keys, most=MOST_GETS)
        found = [self._stored[key] for key in keys if key in self._stored]
        sizes = [size for _, size in found] + [0] * (len(keys) - len(found))
        consistent = bool(page.get("ConsistentRead"))
        units = sum(read_units(size, consistent=consistent) for size in sizes)
        answer = {
            "Responses": {self.name: [handed_out(item) for item, _ in found]},
            "UnprocessedKeys": {},
        }
        return {**answer, **self._meter.reads(request, units, many=True)}

    def _query(self, request: Mapping[str, Any]) -> Answer:
        self._check_table("Query", request["TableName"])
        consistent = bool(request.get("ConsistentRead"))
        if "IndexName" in request:
            if consistent:
                raise InvalidError("Consistent reads are not supported on global secondary indexes")
            items, keys = self._indexed(request), _INDEX_KEYS
        else:
            items, keys = items_of(self._stored, request), _INDEX_KEYS[:2]
        page, size, full = page_of(items, limit=request.get("Limit"))
        found = [handed_out(item) for item in page]
        answer: dict[str, Any] = {"Items": found, "Count": len(found), "ScannedCount": len(found)}
        if full:
            answer["LastEvaluatedKey"] = handed_out({key: page[-1][key] for key in keys})
        return {**answer, **self._meter.reads(request, read_units(size, consistent=consistent))}

    def _indexed(self, request: Mapping[str, Any]) -> Iterator[Item]:
        if request["IndexName"] != _INDEX:
            raise NotImplementedError(f"the fake has no index but {_INDEX}")
        condition = parse_key_condition(request["KeyConditionExpression"], ("q", "o"))
        partition, bounds = condition(request["ExpressionAttributeValues"])
        entries = self._index.entries(
            partition,
            bounds,
            start_of(request.get("ExclusiveStartKey")),
            forward=request.get("ScanIndexForward", True),
        )
        return (shown(partition, entry) for entry in entries)

    def _write(self, kind: str, request: Mapping[str, Any]) -> Answer:
        self._check_table(f"{kind}Item", request["TableName"])
        write = Write(kind, request, self._stored)
        if not write.holds():
            self._meter.refused([write])
            raise client_error(
                f"{kind}Item",
                "ConditionalCheckFailedException",
                "The conditional request failed",
                **write.refusal(),
            )
        write.work_out()
        self._store(write)
        return {**write.answer(), **self._meter.writes(request, [write])}

    def _write_batch(self, request: Mapping[str, Any]) -> Answer:
        asked = self._only_table("BatchWriteItem", request)
        writes = []
        for each in asked:
            ((kind, body),) = each.items()
            writes.append(Write(kind.removesuffix("Request"), body, self._stored))
        check_batch([write.key for write in writes], most=MOST_PUTS)
        for write in writes:
            write.work_out()
            self._store(write)
        return {"UnprocessedItems": {}, **self._meter.writes(request, writes, many=True)}

    def _transact(self, request: Mapping[str, Any]) -> Answer:
        token = request.get("ClientRequestToken")
        body = {name: value for name, value in request.items() if name != "ClientRequestToken"}
        done = self._done(token) if token else None
        if done is not None:
            return self._replay(request, done, body)
        writes = self._prepared(request["TransactItems"])
        reasons = [_reason(write) for write in writes]
        if any(reason["Code"] != "None" for reason in reasons):
            self._meter.refused(writes, factor=2)
            raise cancelled(reasons)
        for write in writes:
            if write.changes:
                self._store(write)
        if token:
            sizes = [write.new[1] if write.new else 0 for write in writes]
            units = 2 * sum(read_units(size, consistent=True) for size in sizes)
            self._tokens[token] = _Done(body, self._clock.now(), units)
        return self._meter.writes(request, writes, many=True, factor=2)

    def _prepared(self, items: list[Mapping[str, Any]]) -> list[Write]:
        if not 1 <= len(items) <= MOST_ACTIONS:
            raise InvalidError(
                "1 validation error detected: Value at 'transactItems' failed to satisfy "
                "constraint: Member must have length less than or equal to 100"
            )
        writes = []
        for item in items:
            ((kind, asked),) = item.items()
            check_fields(kind, asked)
            self._check_table("TransactWriteItems", asked["TableName"])
            writes.append(Write(kind, asked, self._stored))
        if len({write.key for write in writes}) < len(writes):
            raise InvalidError("Transaction request cannot include multiple operations on one item")
        return writes

    def _done(self, token: str) -> _Done | None:
        expired = self._clock.now() - _TOKEN_LIFE
        for old in [each for each, done in self._tokens.items() if done.at <= expired]:
            del self._tokens[old]
        return self._tokens.get(token)

    def _replay(self, request: Mapping[str, Any], done: _Done, body: Mapping[str, Any]) -> Answer:
        if body != done.body:
            raise client_error(
                "TransactWriteItems",
                "IdempotentParameterMismatchException",
                "Request token already in use for another request with a different payload",
            )
        answer = self._meter.reads(request, done.read_units, many=True)
        for consumed in answer.get("ConsumedCapacity", ()):
            consumed["ReadCapacityUnits"] = consumed["CapacityUnits"]
        return answer

    def _store(self, write: Write) -> None:
        key, old = write.key, write.old[0]
        if write.new is None:
            if not old:
                return
            del self._stored[key], self._items[key]
            self._index.note(key, _where(old), None)
        else:
            self._stored[key] = write.new
            self._items[key] = write.new[0]
            self._index.note(key, _where(old), _where(write.new[0]))
        self.version += 1

    def _check_table(self, operation: str, name: str) -> None:
        if name != self.name:
            raise client_error(
                operation, "ResourceNotFoundException", "Requested resource not found"
            )

    def _only_table(self, operation: str, request: Mapping[str, Any]) -> Any:
        ((name, page),) = request["RequestItems"].items()
        self._check_table(operation, name)
        return page


class _MemoryConnection(Connection):
    """pynamodb's connection, with the fake in place of botocore's client."""

    def __init__(self, dynamo: MemoryDynamo) -> None:
        super().__init__()
        self._answers = cast("Any", _Client(dynamo))

    @property
    def client(self) -> Any:
        """The fake; no session is made, and no credentials are looked for."""
        return self._answers


class _Client:
    """As much of botocore's client as pynamodb uses."""

    def __init__(self, dynamo: MemoryDynamo) -> None:
        self._make_api_call = dynamo.call


def memory_table(
    *,
    clock: Clock | None = None,
    random: Randomness | None = None,
    on_write_units: Callable[[str, float], None] | None = None,
    interrupt: Interrupt | None = None,
    lag: Lag | None = None,
) -> DynamoTable:
    """Return a table of its own in memory, for those who need no hold of the fake behind it.

    The arguments are those of `DynamoTable` and `MemoryDynamo`; the clock serves both.
    """
    dynamo = MemoryDynamo(clock=clock, interrupt=interrupt, lag=lag)
    return dynamo.table(random=random, on_write_units=on_write_units)


def _reason(write: Write) -> dict[str, Any]:
    if not write.holds():
        return {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
            **write.refusal(),
        }
    try:
        write.work_out()
    except InvalidItemError as error:
        return {"Code": "ValidationError", "Message": str(error)}
    return {"Code": "None"}


def _where(item: Item) -> Where:
    partition, order = item.get("q"), item.get("o")
    return (partition["S"], order["S"]) if partition and order else None
