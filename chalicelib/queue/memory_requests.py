"""What requests of the fake table may hold, and the pages that answer queries.

A field that the fake does not know is refused loudly: to pass over it would be to answer wrongly.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from chalicelib.queue.memory_conditions import parse_key_condition
from chalicelib.queue.memory_errors import InvalidError
from chalicelib.queue.memory_index import Entry, within
from chalicelib.queue.memory_values import Item
from chalicelib.queue.memory_writes import Stored
from chalicelib.queue.units import item_bytes

__all__ = [
    "MOST_ACTIONS",
    "MOST_GETS",
    "MOST_PUTS",
    "check_batch",
    "check_fields",
    "items_of",
    "page_of",
    "shown",
    "start_of",
]

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MOST_ACTIONS = 100
MOST_GETS = 100
MOST_PUTS = 25
_PAGE_BYTES = 1024 * 1024

_CAPACITY = frozenset({"ReturnConsumedCapacity"})
_ONE_TABLE = _CAPACITY | {"TableName"}
_CONDITION = frozenset(
    {
        "TableName",
        "ConditionExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "ReturnValuesOnConditionCheckFailure",
    }
)
_WRITE = _CONDITION | _CAPACITY | {"ReturnValues"}
_QUERY = frozenset(
    {
        "IndexName",
        "ConsistentRead",
        "KeyConditionExpression",
        "ExpressionAttributeValues",
        "ScanIndexForward",
        "Limit",
        "ExclusiveStartKey",
    }
)
_FIELDS = {
    "GetItem": _ONE_TABLE | {"Key", "ConsistentRead"},
    "BatchGetItem": _CAPACITY | {"RequestItems"},
    "Query": _ONE_TABLE | _QUERY,
    "PutItem": _WRITE | {"Item"},
    "UpdateItem": _WRITE | {"Key", "UpdateExpression"},
    "DeleteItem": _WRITE | {"Key"},
    "BatchWriteItem": _CAPACITY | {"RequestItems"},
    "TransactWriteItems": _CAPACITY | {"TransactItems", "ClientRequestToken"},
    "Put": _CONDITION | {"Item"},
    "Update": _CONDITION | {"Key", "UpdateExpression"},
    "Delete": _CONDITION | {"Key"},
    "ConditionCheck": _CONDITION | {"Key"},
}


def check_fields(what: str, request: Mapping[str, Any]) -> None:
    """Return when the fake knows every field of an operation, or of a transaction's action.

    Raises:
        NotImplementedError: it does not.
    """
    unknown = request.keys() - _FIELDS[what]
    if unknown:
        raise NotImplementedError(f"the fake knows no {', '.join(sorted(unknown))} of {what}")


def check_batch(keys: Sequence[tuple[str, str]], *, most: int) -> None:
    """Return when a batch has no more keys than that, and each once.

    Raises:
        InvalidError: it has not.
    """
    if not 1 <= len(keys) <= most:
        raise InvalidError(f"Too many items requested for the call: {len(keys)} of {most}")
    if len(set(keys)) < len(keys):
        raise InvalidError("Provided list of item keys contains duplicates")


def items_of(
    stored: Mapping[tuple[str, str], Stored], request: Mapping[str, Any]
) -> Iterator[Item]:
    """Yield the items that a query of the table itself asks for.

    All keys are looked at: nobody but the logs asks so, and never of a large table.
    """
    condition = parse_key_condition(request["KeyConditionExpression"], ("pk", "sk"))
    partition, bounds = condition(request["ExpressionAttributeValues"])
    found = sorted(sk for pk, sk in stored if pk == partition)
    first, last = within(found, bounds, by=str)
    forward, start = request.get("ScanIndexForward", True), request.get("ExclusiveStartKey")
    for sk in found[first:last] if forward else reversed(found[first:last]):
        passed = start is not None and (
            sk <= start["sk"]["S"] if forward else sk >= start["sk"]["S"]
        )
        if not passed:
            yield stored[partition, sk][0]


def start_of(key: Mapping[str, Any] | None) -> Entry | None:
    """Return the entry of the index that an ExclusiveStartKey names.

    Raises:
        InvalidError: a key of the table or the index is missing in it.
    """
    if key is None:
        return None
    if not {"pk", "sk", "q", "o"} <= key.keys():
        raise InvalidError("The provided starting key is invalid")
    return Entry(key["o"]["S"], key["pk"]["S"], key["sk"]["S"])


def shown(partition: str, entry: Entry) -> Item:
    """Return an entry of the index as a query shows it: keys alone."""
    return {
        "pk": {"S": entry.pk},
        "sk": {"S": entry.sk},
        "q": {"S": partition},
        "o": {"S": entry.o},
    }


def page_of(items: Iterable[Item], *, limit: int | None) -> tuple[list[Item], int, bool]:
    """Return a page, its size, and whether it ended for being full.

    DynamoDB does not look ahead: after a full page there may be nothing.
    """
    found: list[Item] = []
    size = 0
    for item in items:
        found.append(item)
        size += item_bytes(item)
        if len(found) == limit or size >= _PAGE_BYTES:
            return found, size, True
    return found, size, False
