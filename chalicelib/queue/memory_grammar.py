"""The tokens and operands that the fake table's conditions and updates are made of.

Each text is parsed once, into closures over (item, names, values): a simulation sends the same few
texts a million times. The grammar is that of
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html as far as pynamodb
writes it; what is not in it is a syntax error here, never a guess. Paths into lists are left out.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.queue.memory_errors import InvalidError

__all__ = ["Names", "Operand", "Path", "Reader", "Values", "at_path", "found_at", "resolved"]

Names = Mapping[str, str]
"""`#0` → attribute name."""
Values = Mapping[str, dict[str, Any]]
"""`:0` → value."""
Operand = Callable[[Mapping[str, Any], Names, Values], dict[str, Any] | None]
"""Gives a value, or None when the item has none there."""
Path = tuple[str, ...]
"""Parts as written: names, or placeholders of names."""

_TOKEN = re.compile(r"\s*(?:([#:]?\w+)|(<>|<=|>=|[=<>(),.+-]))")
_WORD = re.compile(r"[A-Za-z_]\w*")


class Reader:
    """Tokens of an expression, taken one by one."""

    def __init__(self, text: str) -> None:
        """Split the text.

        Raises:
            InvalidError: something in it is no token.
        """
        self._tokens: list[str] = []
        self._at = 0
        position, end = 0, len(text.rstrip())
        while position < end:
            found = _TOKEN.match(text, position)
            if found is None:
                raise InvalidError(f"Invalid expression: Syntax error; near: {text[position:]!r}")
            self._tokens.append(found[1] or found[2])
            position = found.end()

    def peek(self) -> str:
        """Return the next token, or an empty string at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self, expected: str | None = None) -> str:
        """Return the next token and pass it.

        Raises:
            InvalidError: it is not the expected one.
        """
        token = self.peek()
        if not token or (expected is not None and token.upper() != expected):
            raise InvalidError(f'Invalid expression: Syntax error; token: "{token or "<EOF>"}"')
        self._at += 1
        return token

    def accepts(self, *wanted: str) -> str | None:
        """Pass the next token if it is one of those, and return it in capitals."""
        token = self.peek().upper()
        if token not in wanted:
            return None
        self._at += 1
        return token

    def calls(self, function: str) -> bool:
        """Pass the name and the parenthesis of a call of that function, if it comes next."""
        ahead = self._tokens[self._at : self._at + 2]
        if ahead != [function, "("]:
            return False
        self._at += 2
        return True

    def path(self) -> Path:
        """Take a path: names or placeholders, with dots between."""
        parts = [self._part()]
        while self.accepts("."):
            parts.append(self._part())
        return tuple(parts)

    def _part(self) -> str:
        token = self.take()
        if token[0] != "#" and not _WORD.fullmatch(token):
            raise InvalidError(f'Invalid expression: Syntax error; token: "{token}"')
        return token


def resolved(path: Path, names: Names) -> Path:
    """Return the path with its placeholders replaced."""
    return tuple(names[part] if part[0] == "#" else part for part in path)


def at_path(path: Path) -> Operand:
    """Return the operand that looks there."""
    if len(path) > 1:
        return lambda item, names, _values: found_at(item, resolved(path, names))
    part = path[0]
    if part[0] == "#":
        return lambda item, names, _values: item.get(names[part])
    return lambda item, _names, _values: item.get(part)


def found_at(item: Mapping[str, Any], path: Path) -> dict[str, Any] | None:
    """Return the value at a resolved path, or None."""
    found: dict[str, Any] | None = item.get(path[0])
    for part in path[1:]:
        if found is None or "M" not in found:
            return None
        found = found["M"].get(part)
    return found
