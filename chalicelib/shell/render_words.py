"""From a word to its text: in a command, between double quotes, in a here-document, in arithmetic.

Everything is quoted here but `Raw`, `Split` and the two wildcards. A default (`${x:-…}`) has double
quotes of its own inside those around the parameter: POSIX leaves open what single quotes, braces
and backslashes mean there otherwise, and bash 5.2 does not even parse `"${x:-it's}"`; in this form
dash, bash and busybox agree (tried on 2026-11-23).
"""

import re
from collections.abc import Callable
from typing import assert_never

from chalicelib.errors import ShellError
from chalicelib.shell.arithmetic import Binary, Expression, Integer, Negative, Variable
from chalicelib.shell.quoting import (
    KEYWORDS,
    escape_document,
    escape_double,
    quote,
    quote_always,
)
from chalicelib.shell.words import (
    AnyCharacter,
    AnyText,
    ArrayItem,
    ArrayItems,
    ArrayLength,
    Calculated,
    Joined,
    MapItem,
    MapKeys,
    Output,
    Parameter,
    Part,
    Raw,
    Secret,
    Split,
    Text,
    Word,
)

__all__ = ["WordRenderer"]

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]*")
_STARS = "***"
_Collection = ArrayItem | ArrayItems | ArrayLength | MapItem | MapKeys
_Expanding = Parameter | Output | Calculated | _Collection


class WordRenderer:
    """Renders words; commands inside them are the caller's to render."""

    def __init__(
        self,
        substitution: Callable[[Output], str],
        need_bash: Callable[[str], None],
        *,
        reveal: bool,
    ) -> None:
        self._substitution = substitution
        self._need_bash = need_bash
        self._reveal = reveal

    def text(self, word: Word) -> str:
        """Return the word as an argument."""
        return "".join(self._part(part, quote) for part in _parts(word)) or "''"

    def name(self, word: Word) -> str:
        """Return the word as the name of a command or a pattern: never keyword or assignment."""
        parts = _parts(word)
        if len(parts) > 1:
            return "".join(self._part(part, quote_always) for part in parts)
        return self._part(parts[0], _quote_name)

    def document(self, word: Word, *, expanding: bool) -> str:
        """Return the word as the body of a here-document, with a final newline if not empty."""
        body = "".join(self._in_document(part, expanding=expanding) for part in _parts(word))
        return body if not body or body.endswith("\n") else body + "\n"

    def key(self, word: Word) -> str:
        """Return the word as the key of a map."""
        return f'"{self._double(word)}"'

    def calculation(self, expression: Expression) -> str:
        """Return the expression as it stands in `$((…))`, with brackets around all it holds."""
        match expression:
            case Integer():
                return str(expression.value) if expression.value >= 0 else f"({expression.value})"
            case Variable():
                # The value of an argument can only be put in as text, so in brackets.
                name = expression.name
                return name if not name[0].isdigit() and name != "#" else f"(${{{name}}})"
            case Negative():
                return f"(-{self._inner(expression.value)})"
            case Binary():
                left, right = self._inner(expression.left), self._inner(expression.right)
                return f"{left} {expression.operator} {right}"
            case _:
                raise ShellError(reason=f"no arithmetic: {type(expression).__name__}")

    def _inner(self, expression: Expression) -> str:
        text = self.calculation(expression)
        return f"({text})" if isinstance(expression, Binary) else text

    def _part(self, part: Part, literal: Callable[[str], str]) -> str:
        match part:
            case Text() | Secret():
                return literal(self._literal(part))
            case Raw() | AnyText() | AnyCharacter():
                return _unquoted(part)
            case Split():
                return self._expansion(part.part)
            case _:
                return f'"{self._expansion(part)}"'

    def _literal(self, part: Text | Secret) -> str:
        return part.text if isinstance(part, Text) or self._reveal else _STARS

    def _double(self, word: Word) -> str:
        """Return the word as it stands between double quotes."""
        found = ""
        for part in _parts(word):
            match part:
                case Text() | Secret():
                    found += escape_double(self._literal(part))
                case Raw() | AnyText() | AnyCharacter():
                    found += _unquoted(part)
                case Split():
                    found += self._expansion(part.part)
                case _:
                    found += self._expansion(part)
        return found

    def _in_document(self, part: Part, *, expanding: bool) -> str:
        match part:
            case Text() | Secret():
                text = self._literal(part)
                return escape_document(text) if expanding else text
            case Raw() | AnyText() | AnyCharacter():
                return _unquoted(part)
            case Split():
                return self._expansion(part.part)
            case _:
                return self._expansion(part)

    def _expansion(self, part: _Expanding) -> str:
        match part:
            case Parameter():
                return self._parameter(part)
            case Output():
                return self._substitution(part)
            case Calculated():
                return f"$(({self.calculation(part.expression)}))"
            case _:
                self._need_bash("an array or a map")
                return self._collection(part)

    def _collection(self, part: _Collection) -> str:
        match part:
            case ArrayItem():
                return f"${{{part.name}[{self.calculation(part.index)}]}}"
            case ArrayItems():
                return f"${{{part.name}[@]}}"
            case ArrayLength():
                return f"${{#{part.name}[@]}}"
            case MapItem():
                return f"${{{part.name}[{self.key(part.key)}]}}"
            case MapKeys():
                return f"${{!{part.name}[@]}}"
            case _:
                assert_never(part)

    def _parameter(self, parameter: Parameter) -> str:
        if parameter.operator == "#":
            return f"${{#{parameter.name}}}"
        if parameter.operand is None:
            special = not parameter.name[0].isalnum() and parameter.name[0] != "_"
            return f"${parameter.name}" if special else f"${{{parameter.name}}}"
        return f"${{{parameter.name}{parameter.operator}{self._default(parameter.operand)}}}"

    def _default(self, word: Word) -> str:
        if isinstance(word, Text) and _PLAIN.fullmatch(word.text):
            return word.text
        return f'"{self._double(word)}"'


def _parts(word: Word) -> tuple[Part, ...]:
    return word.parts if isinstance(word, Joined) else (word,)


def _quote_name(text: str) -> str:
    return quote_always(text) if text in KEYWORDS or "=" in text else quote(text)


def _unquoted(part: Raw | AnyText | AnyCharacter) -> str:
    if isinstance(part, Raw):
        return part.text
    return "*" if isinstance(part, AnyText) else "?"
