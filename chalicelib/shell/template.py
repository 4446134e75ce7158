"""Commands written as constant templates: `q("git log -1 {commit}", commit=c)`.

A template is one plain command: words, quotes around what is literal, named placeholders. It is not
shell: what would mean something to a shell (`|`, `$`, `*`, `;` …) is refused, since each has a
function that says it with its operands apart. A computed template cannot be told from a constant
one at run time; `LiteralString` lets type checkers do so, and a t-string is constant by its nature.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from string import Formatter
from typing import Any, LiteralString, Protocol, runtime_checkable

from chalicelib.errors import ShellError
from chalicelib.shell.commands import Command
from chalicelib.shell.words import Word, join, words

__all__ = ["Interpolation", "TemplateString", "template_command"]

_SPECIAL = re.compile(r"[|&;<>()$`*?\[\]\\#~!]")
_SPECIAL_IN_QUOTES = re.compile(r"[$`\\]")
_Piece = str | tuple[object]
_CONVERSIONS: dict[str, Callable[[object], str]] = {"r": repr, "s": str, "a": ascii}


@runtime_checkable
class Interpolation(Protocol):
    """A value in a t-string (PEP 750)."""

    @property
    def value(self) -> object:
        """What was put in."""

    @property
    def conversion(self) -> str | None:
        """`r`, `s`, `a` or none."""

    @property
    def format_spec(self) -> str:
        """What came after the colon."""


@runtime_checkable
class TemplateString(Protocol):
    """A t-string (PEP 750), or an object of that shape on a Python that has none."""

    @property
    def strings(self) -> tuple[str, ...]:
        """The constant texts, one more than values."""

    @property
    def interpolations(self) -> tuple[Interpolation, ...]:
        """The values between them."""


def template_command(
    template: LiteralString | TemplateString, values: Mapping[str, object], used: set[str]
) -> Command:
    """Return the command of a template; add the names that it takes to `used`.

    Raises:
        ShellError: a placeholder has no name, no value, or stands inside quotes; something in the
            template is special to the shell; a quote is open; there are no words.
    """
    if isinstance(template, str):
        pieces = list(_format_pieces(template, values, used))
    else:
        pieces = list(_template_pieces(template))
    return Command(words([_joined(each) for each in _Words(pieces).read()]))


def _format_pieces(template: str, values: Mapping[str, object], used: set[str]) -> Iterator[_Piece]:
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise ShellError(reason=f"template {template!r}: {error}") from error
    for text, name, spec, conversion in parsed:
        yield text
        if name is None:
            continue
        if not name.isidentifier() or spec or conversion:
            raise ShellError(reason=f"template {template!r}: a placeholder is a plain name")
        if name not in values:
            raise ShellError(reason=f"template {template!r}: no value for {name}")
        used.add(name)
        yield (values[name],)


def _template_pieces(template: TemplateString) -> Iterator[_Piece]:
    for number, text in enumerate(template.strings):
        yield text
        if number < len(template.interpolations):
            yield (_converted(template.interpolations[number]),)


def _converted(item: Interpolation) -> object:
    value = item.value
    if not (item.conversion or item.format_spec):
        return value
    if not isinstance(value, str | int | float):
        reason = f"a {type(value).__name__} takes neither conversion nor format in a template"
        raise ShellError(reason=reason)
    if item.conversion:
        value = _CONVERSIONS[item.conversion](value)
    try:
        return format(value, item.format_spec)
    except ValueError as error:
        raise ShellError(reason=f"bad format in a template: {error}") from error


def _joined(parts: list[object]) -> Word | list[Any]:
    """One word of its parts. A list splices when it is a word of its own."""
    only = parts[0]
    if len(parts) == 1 and isinstance(only, list | tuple):
        return list(only)
    if len(parts) == 1:
        return words(parts)[0]
    if any(isinstance(part, list | tuple) for part in parts):
        raise ShellError(reason="a list in a template has to be a word of its own")
    return join(*parts)


class _Words:
    """Splits the pieces of a template into words at unquoted spaces."""

    def __init__(self, pieces: list[_Piece]) -> None:
        self._pieces = pieces
        self._found: list[list[object]] = []
        self._current: list[object] | None = None
        self._quote = ""

    def read(self) -> list[list[object]]:
        for piece in self._pieces:
            if isinstance(piece, str):
                for character in piece:
                    self._character(character)
            elif self._quote:
                raise ShellError(reason="a placeholder in a template must not stand inside quotes")
            else:
                self._append(piece[0])
        if self._quote:
            raise ShellError(reason=f"a {self._quote} in a template is never closed")
        self._end()
        if not self._found:
            raise ShellError(reason="a template needs at least one word")
        return self._found

    def _character(self, character: str) -> None:
        if self._quote:
            self._quoted(character)
        elif character.isspace():
            self._end()
        elif character in "'\"":
            self._quote = character
            self._append("")
        elif _SPECIAL.match(character):
            self._refuse(character)
        else:
            self._append(character)

    def _quoted(self, character: str) -> None:
        if character == self._quote:
            self._quote = ""
        elif self._quote == '"' and _SPECIAL_IN_QUOTES.match(character):
            self._refuse(character)
        else:
            self._append(character)

    def _refuse(self, character: str) -> None:
        reason = f"{character} in a template is no shell: use the function, or single quotes"
        raise ShellError(reason=reason)

    def _append(self, part: object) -> None:
        if self._current is None:
            self._current = []
        self._current.append(part)

    def _end(self) -> None:
        if self._current is not None:
            self._found.append(self._current)
            self._current = None
