"""Conditions of the fake table: texts to predicates over an item.

Functions and comparisons are those of
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html.
Equality is that of the stored form, which has one text for each number and one order for each set.
"""

import operator
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from chalicelib.queue.memory_errors import InvalidError
from chalicelib.queue.memory_grammar import Names, Operand, Path, Reader, Values, at_path
from chalicelib.queue.memory_index import Bounds
from chalicelib.queue.memory_values import number

__all__ = ["Condition", "parse_condition", "parse_key_condition"]

Condition = Callable[[Mapping[str, Any], Names, Values], bool]

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_COMPARISONS = ("=", "<>", *_ORDERS)
_ORDERED_KINDS = frozenset({"S", "N", "B"})


@cache
def parse_condition(text: str) -> Condition:
    """Return the predicate that a ConditionExpression means.

    Raises:
        InvalidError: it is not in the grammar.
    """
    reader = Reader(text)
    condition = _either(reader)
    if reader.peek():
        raise InvalidError(f'Invalid ConditionExpression: Syntax error; token: "{reader.peek()}"')
    return condition


@cache
def parse_key_condition(text: str, keys: tuple[str, str]) -> Callable[[Values], tuple[str, Bounds]]:
    """Return what gives partition and bounds of a KeyConditionExpression on these two attributes.

    Raises:
        InvalidError: it is not `q = :q`, alone or with one condition on `o`, for keys (q, o).
    """
    reader = Reader(text)
    for expected in (keys[0].upper(), "="):
        reader.take(expected)
    partition = _value_name(reader)
    bounds = _bounds(reader, keys[1]) if reader.accepts("AND") else lambda _values: Bounds()
    if reader.peek():
        raise InvalidError("Invalid KeyConditionExpression: Syntax error")
    return lambda values: (values[partition]["S"], bounds(values))


def _bounds(reader: Reader, order: str) -> Callable[[Values], Bounds]:
    reader.take(order.upper())
    sign = reader.take().upper()
    value = _value_name(reader)
    match sign:
        case "<" | "<=":
            included = sign == "<="
            return lambda values: Bounds(high=values[value]["S"], high_included=included)
        case ">" | ">=":
            included = sign == ">="
            return lambda values: Bounds(low=values[value]["S"], low_included=included)
        case "=":
            return lambda values: Bounds(values[value]["S"], values[value]["S"])
        case "BETWEEN":
            reader.take("AND")
            high = _value_name(reader)
            return lambda values: Bounds(values[value]["S"], values[high]["S"])
        case _:
            raise InvalidError(f'Invalid KeyConditionExpression: Syntax error; token: "{sign}"')


def _value_name(reader: Reader) -> str:
    token = reader.take()
    if token[0] != ":":
        raise InvalidError(f'Invalid expression: Syntax error; token: "{token}"')
    return token


def _either(reader: Reader) -> Condition:
    found = _both(reader)
    while reader.accepts("OR"):
        found = _or(found, _both(reader))
    return found


def _both(reader: Reader) -> Condition:
    found = _single(reader)
    while reader.accepts("AND"):
        found = _and(found, _single(reader))
    return found


def _or(one: Condition, other: Condition) -> Condition:
    return lambda item, names, values: one(item, names, values) or other(item, names, values)


def _and(one: Condition, other: Condition) -> Condition:
    return lambda item, names, values: one(item, names, values) and other(item, names, values)


def _single(reader: Reader) -> Condition:
    if reader.accepts("NOT"):
        denied = _single(reader)
        return lambda item, names, values: not denied(item, names, values)
    if reader.accepts("("):
        inner = _either(reader)
        reader.take(")")
        return inner
    for function, make in _FUNCTIONS.items():
        if reader.calls(function):
            condition = make(reader)
            reader.take(")")
            return condition
    return _comparison(reader)


def _comparison(reader: Reader) -> Condition:
    left = _operand(reader)
    sign = reader.accepts(*_COMPARISONS, "BETWEEN", "IN")
    if sign == "BETWEEN":
        low = _operand(reader)
        reader.take("AND")
        return _and(_ordered(">=", left, low), _ordered("<=", left, _operand(reader)))
    if sign == "IN":
        reader.take("(")
        found = _equal(left, _operand(reader))
        while reader.accepts(","):
            found = _or(found, _equal(left, _operand(reader)))
        reader.take(")")
        return found
    if sign is None:
        raise InvalidError(f'Invalid ConditionExpression: Syntax error; token: "{reader.peek()}"')
    return _compared(sign, left, _operand(reader))


def _compared(sign: str, left: Operand, right: Operand) -> Condition:
    if sign == "=":
        return _equal(left, right)
    if sign == "<>":
        equal = _equal(left, right)
        return lambda item, names, values: not equal(item, names, values)
    return _ordered(sign, left, right)


def _equal(left: Operand, right: Operand) -> Condition:
    def holds(item: Mapping[str, Any], names: Names, values: Values) -> bool:
        found = left(item, names, values)
        return found is not None and found == right(item, names, values)

    return holds


def _ordered(sign: str, left: Operand, right: Operand) -> Condition:
    compare = _ORDERS[sign]

    def holds(item: Mapping[str, Any], names: Names, values: Values) -> bool:
        one, other = left(item, names, values), right(item, names, values)
        if one is None or other is None:
            return False
        ((kind, first),) = one.items()
        second = other.get(kind)
        if second is None or kind not in _ORDERED_KINDS:
            return False
        return compare(number(first), number(second)) if kind == "N" else compare(first, second)

    return holds


def _operand(reader: Reader) -> Operand:
    if reader.peek().startswith(":"):
        name = reader.take()
        return lambda _item, _names, values: values[name]
    if reader.calls("size"):
        measured = at_path(reader.path())
        reader.take(")")
        return lambda item, names, values: _size(measured(item, names, values))
    return at_path(reader.path())


def _size(value: dict[str, Any] | None) -> dict[str, Any] | None:
    if value is None:
        return None
    ((kind, content),) = value.items()
    if kind == "S":  # in UTF-16 units, as the emulator has it from measurements
        return {"N": str(len(content.encode("utf-16-le")) // 2)}
    return None if kind in {"N", "BOOL", "NULL"} else {"N": str(len(content))}


def _exists(reader: Reader) -> Condition:
    found = at_path(reader.path())
    return lambda item, names, values: found(item, names, values) is not None


def _not_exists(reader: Reader) -> Condition:
    found = at_path(reader.path())
    return lambda item, names, values: found(item, names, values) is None


def _begins_with(reader: Reader) -> Condition:
    return _of_two(reader, _starts)


def _contains(reader: Reader) -> Condition:
    return _of_two(reader, _has)


def _of_type(reader: Reader) -> Condition:
    return _of_two(reader, lambda value, kind: kind.get("S") in value)


def _of_two(reader: Reader, test: Callable[[dict[str, Any], dict[str, Any]], bool]) -> Condition:
    path: Path = reader.path()
    left = at_path(path)
    reader.take(",")
    right = _operand(reader)

    def holds(item: Mapping[str, Any], names: Names, values: Values) -> bool:
        one, other = left(item, names, values), right(item, names, values)
        return one is not None and other is not None and test(one, other)

    return holds


def _starts(value: dict[str, Any], start: dict[str, Any]) -> bool:
    for kind in ("S", "B"):
        if kind in value and kind in start:
            return bool(value[kind].startswith(start[kind]))
    return False


def _has(value: dict[str, Any], wanted: dict[str, Any]) -> bool:
    ((kind, content),) = value.items()
    if kind == "L":
        return wanted in content
    member = wanted.get(kind[0]) if kind in {"SS", "NS", "BS"} else wanted.get(kind)
    return kind in {"S", "B", "SS", "NS", "BS"} and member is not None and member in content


_FUNCTIONS: dict[str, Callable[[Reader], Condition]] = {
    "attribute_exists": _exists,
    "attribute_not_exists": _not_exists,
    "attribute_type": _of_type,
    "begins_with": _begins_with,
    "contains": _contains,
}
