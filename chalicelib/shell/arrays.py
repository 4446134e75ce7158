"""Arrays and maps, which only bash has: rendering them for a POSIX shell is an error."""

from collections.abc import Mapping

from chalicelib.errors import ShellError
from chalicelib.shell.arithmetic import Expression, num
from chalicelib.shell.commands import ArrayAssign, ArraySet, MapDeclare, MapSet, Node, Script
from chalicelib.shell.words import (
    ArrayItem,
    ArrayItems,
    ArrayLength,
    MapItem,
    MapKeys,
    Text,
    Word,
    single_word,
    words,
)

__all__ = [
    "array",
    "array_append",
    "array_get",
    "array_items",
    "array_length",
    "array_set",
    "map_",
    "map_assoc",
    "map_get",
    "map_keys",
    "map_merge",
    "map_values",
]


def array(name: str, *values: object) -> Node:
    """Make an array of the values; lists splice, `array_items` of another array too."""
    return ArrayAssign(name, words(values))


def array_append(name: str, *values: object) -> Node:
    """Add the values to the end of an array."""
    return ArrayAssign(name, words(values), "+=")


def array_get(name: str, index: Expression | int) -> Word:
    """Return an item, from 0, or from -1 for the last; nothing if there is none."""
    return ArrayItem(name, _index(index))


def array_set(name: str, index: Expression | int, value: object) -> Node:
    """Set an item of an array."""
    return ArraySet(name, _index(index), single_word(value))


def array_items(name: str) -> Word:
    """Return all items, each a word of its own."""
    return ArrayItems(name)


def array_length(name: str) -> Word:
    """Return how many items an array or a map has."""
    return ArrayLength(name)


def map_(name: str, items: Mapping[str, object]) -> Node:
    """Make a map. In a function it is local to it.

    Raises:
        ShellError: a key is empty, which bash does not allow.
    """
    # Key by key: bash 5.2 loses \x01 and \x7f from the keys of `declare -A x=([…]=…)`.
    return Script((MapDeclare(name), *[map_assoc(name, key, items[key]) for key in items]))


def map_get(name: str, key: object) -> Word:
    """Return the value at a key; nothing if there is none."""
    return MapItem(name, _key(key))


def map_assoc(name: str, key: object, value: object) -> Node:
    """Set a key of a map that was made before."""
    return MapSet(name, _key(key), single_word(value))


def map_merge(name: str, items: Mapping[str, object]) -> Node:
    """Set several keys of a map that was made before; others stay."""
    return Script(tuple(map_assoc(name, key, items[key]) for key in items))


def map_keys(name: str) -> Word:
    """Return all keys, each a word of its own, in no order."""
    return MapKeys(name)


def map_values(name: str) -> Word:
    """Return all values, each a word of its own, in the order of `map_keys`."""
    return ArrayItems(name)


def _index(index: Expression | int) -> Expression:
    return index if isinstance(index, Expression) else num(index)


def _key(key: object) -> Word:
    found = single_word(key)
    if found == Text(""):
        raise ShellError(reason="bash has no empty key")
    return found
