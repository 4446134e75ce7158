"""Values of the fake table: how they come in and go out, and their numbers.

A stored item is never changed in place: a write makes a new one that shares what it left alone.
So whatever comes in or goes out is copied here, once, and nothing else need be careful.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from chalicelib.queue.memory_errors import InvalidError

__all__ = ["Item", "Value", "handed_out", "number", "number_text", "taken_in", "value_in"]

Value = dict[str, Any]
"""`{type: content}`."""
Item = dict[str, Value]

_SETS = frozenset({"SS", "NS", "BS"})
_KINDS = frozenset({"S", "N", "B", "BOOL", "NULL", "M", "L"}) | _SETS
_MAX_DIGITS = 38
_MAX_MAGNITUDE = 125


def taken_in(item: Mapping[str, Any]) -> Item:
    """Return a copy of an item as the table keeps it: numbers in one form, sets in one order.

    Raises:
        InvalidError: something in it is no value.
    """
    return {name: value_in(value) for name, value in item.items()}


def value_in(value: Mapping[str, Any]) -> Value:
    """Return a copy of one value as the table keeps it."""
    if len(value) != 1:
        raise InvalidError(
            "Supplied AttributeValue must contain exactly one of the supported types"
        )
    ((kind, content),) = value.items()
    if kind == "S":
        return {"S": content}
    if kind == "N":
        return {"N": _canonical(content)}
    if kind == "M":
        return {"M": taken_in(content)}
    if kind == "L":
        return {"L": [value_in(each) for each in content]}
    return _plain_in(kind, content)


def handed_out(item: Mapping[str, Any]) -> Item:
    """Return a copy of an item, to be changed at will."""
    return {name: _value_out(value) for name, value in item.items()}


def number(text: str) -> int | Decimal:
    """Return the number that the text means.

    >>> number("12") + number("0.5")
    Decimal('12.5')
    """
    return int(text) if text.lstrip("-").isdigit() else Decimal(text)


def number_text(value: int | Decimal) -> str:
    """Return the one form in which the table keeps the number.

    >>> [number_text(Decimal(text)) for text in ("1E2", "1.50", "-0", "0.010")]
    ['100', '1.5', '0', '0.01']
    """
    if isinstance(value, int):
        return str(value)
    plain = format(value, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain in {"-0", ""} else plain


def _value_out(value: Mapping[str, Any]) -> Value:
    ((kind, content),) = value.items()
    if kind == "M":
        return {"M": handed_out(content)}
    if kind == "L":
        return {"L": [_value_out(each) for each in content]}
    return {kind: list(content) if kind in _SETS else content}


def _plain_in(kind: str, content: Any) -> Value:
    if kind not in _KINDS:
        raise InvalidError("Supplied AttributeValue has an unsupported type")
    if kind == "B":
        return {"B": _bytes_in(content)}
    if kind not in _SETS:
        return {kind: content}
    found = sorted(_MEMBERS[kind](each) for each in content)
    if not found:
        raise InvalidError(
            "One or more parameter values were invalid: An string set may not be empty"
        )
    if len(set(found)) < len(found):
        raise InvalidError(
            "One or more parameter values were invalid: Input collection contains duplicates"
        )
    return {kind: found}


def _bytes_in(content: str | bytes) -> bytes:
    # botocore sends a text's UTF-8 and answers bytes.
    return content.encode() if isinstance(content, str) else bytes(content)


def _canonical(text: str) -> str:
    if text.isdigit() and text[0] != "0" and len(text) <= _MAX_DIGITS:
        return text
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise InvalidError(
            f"The parameter cannot be converted to a numeric value: {text}"
        ) from error
    if not value.is_finite() or value.adjusted() > _MAX_MAGNITUDE:
        raise InvalidError(
            "Number overflow. Attempting to store a number with magnitude larger than supported range"
        )
    return number_text(value)


_MEMBERS: dict[str, Callable[[Any], Any]] = {"SS": str, "NS": _canonical, "BS": _bytes_in}
