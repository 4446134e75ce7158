"""What requests of the fake table may hold, and the pages that answer queries.

A field that the fake does not know is refused loudly: to pass over it would be to answer wrongly.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chalicelib.queue.memory_errors import InvalidError
from chalicelib.queue.memory_index import Entry
from chalicelib.queue.memory_values import Item
from chalicelib.queue.units import item_bytes

__all__ = [
    "MOST_ACTIONS",
    "MOST_GETS",
    "MOST_PUTS",
    "check_batch",
    "check_fields",
    "page_of",
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


def start_of(key: Mapping[str, Any] | None) -> Entry | None:
    """Return the entry that an ExclusiveStartKey names.

    Raises:
        InvalidError: a key of the table or the index is missing in it.
    """
    if key is None:
        return None
    if not {"pk", "sk", "q", "o"} <= key.keys():
        raise InvalidError("The provided starting key is invalid")
    return Entry(key["o"]["S"], key["pk"]["S"], key["sk"]["S"])


def page_of(
    partition: str, entries: Iterable[Entry], *, limit: int | None
) -> tuple[list[Item], int, bool]:
    """Return a page, its size, and whether it ended for being full.

    DynamoDB does not look ahead: after a full page there may be nothing.
    """
    found: list[Item] = []
    size = 0
    for entry in entries:
        item = {
            "pk": {"S": entry.pk},
            "sk": {"S": entry.sk},
            "q": {"S": partition},
            "o": {"S": entry.o},
        }
        found.append(item)
        size += item_bytes(item)
        if len(found) == limit or size >= _PAGE_BYTES:
            return found, size, True
    return found, size, False
