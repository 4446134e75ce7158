"""What DynamoDB charges: sizes of items, and units of reads and writes.

Pure arithmetic over items as DynamoDB sends them. Sizes are those of
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html,
units those of
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html.
The index is this project's only one: sparse, KEYS_ONLY, by (q, o).
"""

from collections.abc import Mapping
from typing import Any

__all__ = [
    "MAX_ITEM_BYTES",
    "element_bytes",
    "index_units",
    "item_bytes",
    "read_units",
    "value_bytes",
    "write_units",
]

Value = Mapping[str, Any]
"""An attribute's value: `{type: content}`."""

MAX_ITEM_BYTES = 400 * 1024
_WRITE_BYTES = 1024
_READ_BYTES = 4096
_NESTED_BYTES = 1
_INDEX_ENTRY = ("pk", "sk", "q", "o")


def item_bytes(item: Mapping[str, Value]) -> int:
    """Return the size of an item: the names of its attributes and their values, in UTF-8.

    >>> item_bytes({"pk": {"S": "T#acme"}, "sk": {"S": "S"}, "lim": {"N": "2"}})
    16
    >>> item_bytes({"jobs": {"M": {"job-1": {"N": "1"}}}})
    15
    """
    return sum(element_bytes(name, value) for name, value in item.items())


def element_bytes(name: str, value: Value, *, nested: bool = False) -> int:
    """Return what an attribute adds to its item, or (nested) an element to its map."""
    return _text_bytes(name) + value_bytes(value) + (_NESTED_BYTES if nested else 0)


def value_bytes(value: Value) -> int:
    """Return the size of a value without its name.

    >>> [value_bytes(each) for each in ({"S": "né"}, {"BOOL": True}, {"NULL": True}, {"B": b"12"})]
    [3, 1, 1, 2]
    >>> [value_bytes({"N": text}) for text in ("0", "5", "100", "12345", "-1.5")]
    [1, 2, 2, 4, 4]
    >>> [value_bytes({"M": {}}), value_bytes({"L": [{"S": "a"}]}), value_bytes({"SS": ["a", "bc"]})]
    [3, 5, 3]
    """
    ((kind, content),) = value.items()
    if kind == "S":
        return _text_bytes(content)
    if kind == "N":
        return _number_bytes(content)
    if kind == "M":
        return 3 + sum(element_bytes(name, each, nested=True) for name, each in content.items())
    if kind == "L":
        return 3 + sum(_NESTED_BYTES + value_bytes(each) for each in content)
    return _plain_bytes(kind, content)


def write_units(before: int, after: int) -> int:
    """Return what a write of an item costs, by the larger of its sizes; 0 stands for no item.

    >>> [write_units(0, 10), write_units(1025, 10), write_units(0, 0)]
    [1, 2, 1]
    """
    return max(1, -(-max(before, after) // _WRITE_BYTES))


def read_units(size: int, *, consistent: bool) -> float:
    """Return what a read of so many bytes costs; nothing found costs as much as a little.

    >>> [read_units(0, consistent=True), read_units(4097, consistent=True)]
    [1.0, 2.0]
    >>> read_units(10, consistent=False)
    0.5
    """
    return max(1, -(-size // _READ_BYTES)) * (1.0 if consistent else 0.5)


def index_units(before: Mapping[str, Value] | None, after: Mapping[str, Value] | None) -> int:
    """Return what a write costs in the index: a unit for each entry that is put or deleted.

    A changed key is both; what is not projected costs nothing. Transactions do not double it:
    measured against AWS by the suite of https://github.com/nubo-db/dynoxide (protocol trap T7).

    >>> job = {"pk": {"S": "J#1"}, "sk": {"S": "S"}, "q": {"S": "R#default#0"}, "o": {"S": "5"}}
    >>> [index_units(None, job), index_units(job, {**job, "o": {"S": "6"}}), index_units(job, job)]
    [1, 2, 0]
    """
    old, new = _entry(before), _entry(after)
    if old == new:
        return 0
    return sum(write_units(0, item_bytes(entry)) for entry in (old, new) if entry)


def _entry(item: Mapping[str, Value] | None) -> dict[str, Value] | None:
    if item is None or "q" not in item or "o" not in item:
        return None
    return {name: item[name] for name in _INDEX_ENTRY}


def _text_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _number_bytes(text: str) -> int:
    # A byte for each pair of digits left and right of the point, without outer zeros; one for the
    # exponent, and one more for a sign.
    digits = text.lstrip("-")
    whole, _, fraction = digits.partition(".")
    whole, fraction = whole.lstrip("0"), fraction.rstrip("0")
    if len(whole) % 2:
        whole = "0" + whole
    if len(fraction) % 2:
        fraction += "0"
    pairs = whole + fraction
    first, last = 0, len(pairs)
    while first < last and pairs[first : first + 2] == "00":
        first += 2
    while first < last and pairs[last - 2 : last] == "00":
        last -= 2
    if first == last:
        return 1
    return 1 + (last - first) // 2 + (1 if text[0] == "-" else 0)


def _plain_bytes(kind: str, content: Any) -> int:
    if kind == "B":
        return len(content)
    if kind == "SS":
        return sum(_text_bytes(each) for each in content)
    if kind == "NS":
        return sum(_number_bytes(each) for each in content)
    if kind == "BS":
        return sum(len(each) for each in content)
    return 1
