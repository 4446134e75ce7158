"""The same requests to the fake table and to an emulator's, and their answers side by side."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError
from pynamodb.connection import Connection

from chalicelib.queue.dynamodb_table import DynamoTable
from chalicelib.queue.memory import MemoryDynamo

Raw = Mapping[str, Any]
INDEX_FIELDS = ("pk", "sk", "q", "o")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a caller sees of a call.

    Attributes:
        answer: without what differs for good reason (see `_comparable`); empty after an error.
        code: the error's; empty when there was none.
        reasons: of a cancelled transaction, by position: code, and the item that was met.
        met: the item that a refused single write met.
    """

    answer: Raw = field(default_factory=dict)
    code: str = ""
    reasons: tuple[tuple[str, Raw | None], ...] = ()
    met: Raw = field(default_factory=dict)


class Both:
    """A fake table and an emulator's of the same name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.memory = MemoryDynamo(name=name)
        # A table makes its connection know the keys, for which requests are then rendered.
        tables = (self.memory.table(), DynamoTable(name))
        self._connections = tuple(table._connection for table in tables)

    def call(self, operation: str, request: Raw) -> Outcome:
        """Make the call on both and return what both say.

        Raises:
            AssertionError: they do not say the same.
        """
        ours, theirs = (_outcome(each, operation, request) for each in self._connections)
        assert ours == theirs, f"{operation}: {ours} is not the emulator's {theirs}"
        return ours

    def write(self, kind: str, request: Raw, **more: Any) -> Outcome:
        """Make a single write of the table; `kind` is Put, Update or Delete."""
        return self.call(f"{kind}Item", {"TableName": self.name, **request, **more})

    def transact(
        self, *actions: tuple[str, Raw], known_as: str | None = None, **more: Any
    ) -> Outcome:
        """Make a transaction of (kind, request) pairs; `known_as` is its token."""
        items = [{kind: {"TableName": self.name, **request}} for kind, request in actions]
        known = {"ClientRequestToken": known_as} if known_as else {}
        return self.call("TransactWriteItems", {"TransactItems": items, **known, **more})

    def get(self, pk: str) -> Raw:
        """Return an item that both have, or an empty one."""
        request = {"TableName": self.name, "Key": key(pk), "ConsistentRead": True}
        found: Raw = self.call("GetItem", request).answer.get("Item", {})
        return found

    def query(self, partition: str, condition: str = "", **more: Any) -> Outcome:
        """Query the index; values beside the partition's are in `more` as `o`, `low`, `high`."""
        values = {
            f":{name}": {"S": more.pop(name)} for name in ("o", "low", "high") if name in more
        }
        request = {
            "TableName": self.name,
            "IndexName": "GSI1",
            "KeyConditionExpression": f"q = :q{condition}",
            "ExpressionAttributeValues": {":q": {"S": partition}, **values},
            **more,
        }
        return self.call("Query", request)

    def items(self, partition: str, low: str, high: str, **more: Any) -> Outcome:
        """Query the table itself for the items of a partition between two sort keys."""
        request = {
            "TableName": self.name,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :low AND :high",
            "ExpressionAttributeValues": {
                ":pk": {"S": partition},
                ":low": {"S": low},
                ":high": {"S": high},
            },
            "ConsistentRead": True,
            **more,
        }
        return self.call("Query", request)

    def kwargs(self, pk: str, **more: Any) -> dict[str, Any]:
        """Return a request for one item as pynamodb renders it."""
        rendered = self._connections[0].get_operation_kwargs(self.name, pk, "S", **more)
        rendered.pop("TableName")
        return rendered


def key(pk: str) -> dict[str, Any]:
    """Return the key of an item."""
    return {"pk": {"S": pk}, "sk": {"S": "S"}}


def _outcome(connection: Connection, operation: str, request: Raw) -> Outcome:
    try:
        answer = connection.dispatch(operation, dict(request))
    except ClientError as error:
        cause = error.__cause__
        response: Raw = cause.response if isinstance(cause, ClientError) else {}
        reasons = getattr(error, "cancellation_reasons", [])
        return Outcome(
            code=error.response["Error"]["Code"],
            reasons=tuple((each.code, each.raw_item) if each else ("", None) for each in reasons),
            met=response.get("Item", {}),
        )
    if not operation.endswith(("PutItem", "UpdateItem", "DeleteItem", "WriteItem", "WriteItems")):
        answer.pop("ConsumedCapacity", None)  # the emulator has one price for all reads, or none
    return Outcome(answer=_comparable(answer))


_SHAPES: dict[str, Callable[[Any], Any]] = {
    "ConsumedCapacity": lambda each: sum(
        one["CapacityUnits"] for one in (each if isinstance(each, list) else [each])
    ),
    "Responses": lambda each: {
        table: sorted(items, key=lambda item: str(item["pk"])) for table, items in each.items()
    },
}


def _comparable(answer: Raw) -> dict[str, Any]:
    """Return the answer without what means nothing: HTTP, empty fields, the order of a batch."""
    return {
        name: _SHAPES.get(name, lambda each: each)(each)
        for name, each in answer.items()
        if name != "ResponseMetadata" and each not in ({}, None)
    }
