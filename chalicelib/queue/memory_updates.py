"""Updates of the fake table: texts to changes of an item.

Clauses are those of
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
without lists and sets. All values are those of the item before the update, whatever the order.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from chalicelib.queue.memory_errors import InvalidError, InvalidItemError
from chalicelib.queue.memory_grammar import (
    Names,
    Operand,
    Path,
    Reader,
    Values,
    at_path,
    found_at,
    resolved,
)
from chalicelib.queue.memory_values import Item, number, number_text
from chalicelib.queue.units import element_bytes

__all__ = ["Update", "parse_update", "parts_of"]

_KEYS = frozenset({"pk", "sk"})
_WRONG_TYPE = "An operand in the update expression has an incorrect data type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What an UpdateExpression means.

    Attributes:
        sets: paths and their new values, of SET and of ADD.
        removes: paths.
    """

    sets: tuple[tuple[Path, Operand], ...]
    removes: tuple[Path, ...]

    def paths(self, names: Names) -> list[Path]:
        """Return every path that is written, in the order of `sets` and then `removes`.

        Raises:
            InvalidError: one is within another, or is of the key.
        """
        found = [resolved(path, names) for path, _ in self.sets]
        found += [resolved(path, names) for path in self.removes]
        tops = {path[0] for path in found}
        if tops & _KEYS:
            raise InvalidError(
                "One or more parameter values were invalid: Cannot update attribute "
                f"{min(tops & _KEYS)}. This attribute is part of the key"
            )
        if len(tops) < len(found):
            _refuse_overlaps(found)
        return found

    def apply(
        self, item: Mapping[str, Any], *, paths: list[Path], names: Names, values: Values
    ) -> tuple[Item, int]:
        """Return the changed item, which shares what is left alone, and how much it has grown.

        Raises:
            InvalidItemError: a path or a value does not fit the item.
        """
        new = dict(item)
        grown = 0
        computed = [value(item, names, values) for _, value in self.sets]
        for path, value in zip(paths, computed, strict=False):
            grown += _assigned(new, path, value)
        for path in paths[len(computed) :]:
            grown += _removed(new, path)
        return new, grown


@cache
def parse_update(text: str) -> Update:
    """Return what the text means.

    Raises:
        InvalidError: it is not in the grammar.
    """
    reader = Reader(text)
    sets: list[tuple[Path, Operand]] = []
    removes: list[Path] = []
    while reader.peek():
        match reader.take().upper():
            case "SET":
                sets += _listed(reader, _set)
            case "REMOVE":
                removes += _listed(reader, Reader.path)
            case "ADD":
                sets += _listed(reader, _add)
            case token:
                raise InvalidError(f'Invalid UpdateExpression: Syntax error; token: "{token}"')
    if not sets and not removes:
        raise InvalidError("Invalid UpdateExpression: The expression can not be empty;")
    return Update(sets=tuple(sets), removes=tuple(removes))


def parts_of(item: Mapping[str, Any], paths: list[Path]) -> Item:
    """Return what the item has at those paths, each within its maps; an empty one if nothing."""
    found: Item = {}
    for path in paths:
        value = found_at(item, path)
        if value is None:
            continue
        inside = found
        for part in path[:-1]:
            inside = inside.setdefault(part, {"M": {}})["M"]
        inside[path[-1]] = value
    return found


def _listed(reader: Reader, one: Callable[[Reader], Any]) -> list[Any]:
    found = [one(reader)]
    while reader.accepts(","):
        found.append(one(reader))
    return found


def _set(reader: Reader) -> tuple[Path, Operand]:
    path = reader.path()
    reader.take("=")
    left = _operand(reader)
    sign = reader.accepts("+", "-")
    return path, _sum(left, _operand(reader), sign) if sign else left


def _add(reader: Reader) -> tuple[Path, Operand]:
    path = reader.path()
    name = reader.take()
    if name[0] != ":":
        raise InvalidError(f'Invalid UpdateExpression: Syntax error; token: "{name}"')
    there = at_path(path)

    def before(item: Mapping[str, Any], names: Names, values: Values) -> dict[str, Any]:
        return there(item, names, values) or {"N": "0"}

    return path, _sum(before, lambda _item, _names, values: values[name], "+")


def _sum(left: Operand, right: Operand, sign: str) -> Operand:
    def value(item: Mapping[str, Any], names: Names, values: Values) -> dict[str, Any]:
        one, other = left(item, names, values), right(item, names, values)
        if one is None or other is None or "N" not in one or "N" not in other:
            raise InvalidItemError(_WRONG_TYPE)
        first, second = number(one["N"]), number(other["N"])
        return {"N": number_text(first + second if sign == "+" else first - second)}

    return value


def _operand(reader: Reader) -> Operand:
    if reader.accepts("("):
        inner = _operand(reader)
        sign = reader.accepts("+", "-")
        inner = _sum(inner, _operand(reader), sign) if sign else inner
        reader.take(")")
        return inner
    if reader.peek().startswith(":"):
        name = reader.take()
        return lambda _item, _names, values: values[name]
    if reader.calls("if_not_exists"):
        there = at_path(reader.path())
        reader.take(",")
        otherwise = _operand(reader)
        reader.take(")")
        return lambda item, names, values: (
            there(item, names, values) or otherwise(item, names, values)
        )
    return _existing(at_path(reader.path()))


def _existing(there: Operand) -> Operand:
    def value(item: Mapping[str, Any], names: Names, values: Values) -> dict[str, Any]:
        found = there(item, names, values)
        if found is None:
            raise InvalidItemError(
                "The provided expression refers to an attribute that does not exist in the item"
            )
        return found

    return value


def _refuse_overlaps(paths: list[Path]) -> None:
    # In order, a path is followed at once by one that is within it.
    ordered = sorted(paths)
    for one, other in pairwise(ordered):
        if other[: len(one)] == one:
            raise InvalidError(
                "Invalid UpdateExpression: Two document paths overlap with each other; must "
                f"remove or rewrite one of these paths; path one: {list(one)}, "
                f"path two: {list(other)}"
            )


def _assigned(new: Item, path: Path, value: dict[str, Any] | None) -> int:
    inside, name, nested = _inside(new, path), path[-1], len(path) > 1
    old = inside.get(name)
    if value is None:
        raise InvalidItemError(_WRONG_TYPE)
    inside[name] = value
    freed = element_bytes(name, old, nested=nested) if old is not None else 0
    return element_bytes(name, value, nested=nested) - freed


def _removed(new: Item, path: Path) -> int:
    old = _inside(new, path).pop(path[-1], None)
    return 0 if old is None else -element_bytes(path[-1], old, nested=len(path) > 1)


def _inside(new: Item, path: Path) -> Item:
    """Return the innermost map of the path, it and all around it copied.

    A parent that is missing is an error for REMOVE too: seen on AWS by the tests that
    https://github.com/scylladb/scylladb/issues/10043 speaks of.
    """
    inside = new
    for part in path[:-1]:
        outer = inside.get(part)
        if outer is None or "M" not in outer:
            raise InvalidItemError(
                "The document path provided in the update expression is invalid for update"
            )
        inside[part] = copied = {"M": dict(outer["M"])}
        inside = copied["M"]
    return inside
