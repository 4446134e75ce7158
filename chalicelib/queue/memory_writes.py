"""One write of the fake table: what it asks, whether it may, and what it would leave.

Pure: a write is prepared from its request and the item that is there, and tells; the table stores.
Prepared first, all of a transaction's writes can be judged before any of them is done.
"""

from collections.abc import Mapping
from typing import Any

from chalicelib.queue.memory_conditions import parse_condition
from chalicelib.queue.memory_errors import InvalidError, InvalidItemError
from chalicelib.queue.memory_grammar import Path
from chalicelib.queue.memory_updates import parse_update, parts_of
from chalicelib.queue.memory_values import Item, handed_out, taken_in
from chalicelib.queue.units import MAX_ITEM_BYTES, item_bytes

__all__ = ["Key", "Stored", "Write", "key_of"]

Key = tuple[str, str]
Stored = tuple[Item, int]
"""An item and its size."""

_INDEX_KEYS = ("q", "o")
_TOO_LARGE = "Item size has exceeded the maximum allowed size"
_GROWN_TOO_LARGE = "Item size to update has exceeded the maximum allowed size"


class _Placeholders(dict[str, Any]):
    """Names or values by placeholder."""

    def __missing__(self, placeholder: str) -> Any:
        raise InvalidError(
            f"Invalid expression: A placeholder is not defined; placeholder: {placeholder}"
        )


class Write:
    """A Put, Update, Delete or ConditionCheck of one item.

    Attributes:
        key: of the item.
        old: what is there, with its size; an empty item of size 0 when there is nothing.
        new: what is left, with its size; set by `work_out`, None for no item.
    """

    __slots__ = (
        "_condition",
        "_item",
        "_kind",
        "_names",
        "_paths",
        "_request",
        "_update",
        "_values",
        "key",
        "new",
        "old",
    )

    def __init__(self, kind: str, request: Mapping[str, Any], items: Mapping[Key, Stored]) -> None:
        """Prepare the write.

        Raises:
            InvalidError: the request is wrong, whatever is there.
        """
        self._kind = kind
        self._request = request
        self._names = _Placeholders(request.get("ExpressionAttributeNames") or {})
        self._values = _Placeholders(taken_in(request.get("ExpressionAttributeValues") or {}))
        text = request.get("ConditionExpression")
        self._condition = parse_condition(text) if text else None
        self._item: Item = {}
        self._paths: list[Path] = []
        self._update = None
        if kind == "Put":
            self._item = _whole_item(request["Item"])
        elif kind == "Update" and "UpdateExpression" in request:
            self._update = parse_update(request["UpdateExpression"])
            self._paths = self._update.paths(self._names)
        self.key = key_of(self._item or request["Key"])
        self.old = items.get(self.key) or ({}, 0)
        self.new: Stored | None = None

    @property
    def changes(self) -> bool:
        """Whether it is more than a check."""
        return self._kind != "ConditionCheck"

    def holds(self) -> bool:
        """Return whether the condition holds."""
        return self._condition is None or self._condition(self.old[0], self._names, self._values)

    def work_out(self) -> None:
        """Set `new`.

        Raises:
            InvalidItemError: the update does not fit what is there.
        """
        match self._kind:
            case "Put":
                self.new = self._item, item_bytes(self._item)
            case "Update":
                self.new = self._updated()
            case "ConditionCheck":
                self.new = self.old
            case _:
                self.new = None

    def refusal(self) -> dict[str, Any]:
        """Return the field of a refusal that brings the item, if it was asked for and exists."""
        wanted = self._request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        return {"Item": handed_out(self.old[0])} if wanted and self.old[0] else {}

    def answer(self) -> dict[str, Any]:
        """Return the field of an answer that brings what `ReturnValues` asks for."""
        before, after = self.old[0], self.new[0] if self.new else {}
        match self._request.get("ReturnValues", "NONE"):
            case "ALL_OLD":
                found = before
            case "ALL_NEW":
                found = after
            case "UPDATED_OLD":
                found = parts_of(before, self._paths)
            case "UPDATED_NEW":
                found = parts_of(after, self._paths)
            case _:
                return {}
        return {"Attributes": handed_out(found)} if found else {}

    def _updated(self) -> Stored:
        item, size = self.old
        if not item:
            item = _key_item(self.key)
            size = item_bytes(item)
        if self._update is not None:
            item, grown = self._update.apply(
                item, paths=self._paths, names=self._names, values=self._values
            )
            size += grown
        if size > MAX_ITEM_BYTES:
            raise InvalidItemError(_GROWN_TOO_LARGE)
        fault = _index_key_fault(item)
        if fault:
            raise InvalidItemError(fault)
        return item, size


def key_of(item: Mapping[str, Any]) -> Key:
    """Return the table's key of an item or a request's `Key`.

    Raises:
        InvalidError: it is not two texts that are not empty.
    """
    pk, sk = item.get("pk"), item.get("sk")
    if pk is None or sk is None or "S" not in pk or "S" not in sk:
        raise InvalidError("The provided key element does not match the schema")
    if not pk["S"] or not sk["S"]:
        raise InvalidError(
            "One or more parameter values are not valid. The AttributeValue for a key attribute "
            f"cannot contain an empty string value. Key: {'sk' if pk['S'] else 'pk'}"
        )
    return pk["S"], sk["S"]


def _key_item(key: Key) -> Item:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def _whole_item(given: Mapping[str, Any]) -> Item:
    item = taken_in(given)
    for name in ("pk", "sk"):
        if name not in item:
            raise InvalidError(
                f"One or more parameter values were invalid: Missing the key {name} in the item"
            )
    fault = _TOO_LARGE if item_bytes(item) > MAX_ITEM_BYTES else _index_key_fault(item)
    if fault:
        raise InvalidError(fault)
    return item


def _index_key_fault(item: Item) -> str | None:
    for name in _INDEX_KEYS:
        value = item.get(name)
        if value is None or value.get("S"):
            continue
        if "S" in value:
            return (
                "One or more parameter values are not valid. A value specified for a secondary "
                "index key is not supported. The AttributeValue for a key attribute cannot contain "
                f"an empty string value. IndexName: GSI1, IndexKey: {name}"
            )
        return (
            f"One or more parameter values were invalid: Type mismatch for Index Key {name} "
            f"Expected: S Actual: {next(iter(value))} IndexName: GSI1"
        )
    return None
