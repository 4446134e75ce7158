"""The arguments of commands: literals, secrets, references, substitutions, and words joined of them.

Values only. Whatever a shell could not take (a NUL, a surrogate that is no character, a broken
name) is refused here, when the value is built, so that rendering is total. How a word is quoted is
the renderer's business and must not be decided here.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from chalicelib.errors import ShellError
from chalicelib.shell.arithmetic import Expression, check_name

if TYPE_CHECKING:
    from chalicelib.shell.commands import Node

__all__ = [
    "AnyCharacter",
    "AnyText",
    "ArrayItem",
    "ArrayItems",
    "ArrayLength",
    "Calculated",
    "Joined",
    "MapItem",
    "MapKeys",
    "Output",
    "Parameter",
    "Part",
    "Raw",
    "Secret",
    "Split",
    "Text",
    "Word",
    "join",
    "single_word",
    "word",
    "words",
]

_OPERATORS = {"", "-", ":-", "=", ":=", "?", ":?", "+", ":+", "#"}
_SPECIAL = re.compile(r"[@#?$!]|[1-9][0-9]{0,3}|0")


def _check_text(text: str, what: str) -> None:
    if "\0" in text:
        raise ShellError(reason=f"{what} holds a NUL, which no argument can")
    try:
        text.encode()
    except UnicodeEncodeError:
        reason = f"{what} holds a lone surrogate: bytes that are no text cannot be rendered"
        # Without a cause: the codec's error quotes the text, which may be a secret.
        raise ShellError(reason=reason) from None


@dataclass(frozen=True, slots=True)
class Text:
    """A literal. Rendered so that the shell sees exactly `text`, whatever it holds."""

    text: str

    def __post_init__(self) -> None:
        _check_text(self.text, "a literal")


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A literal that `render` reveals, and that prints as stars everywhere else.

    Not a `str` subclass on purpose: a join, a format or a JSON encoder must not reveal it.

    >>> Secret("swordfish"), str(Secret("swordfish"))
    (Secret('***'), '***')
    """

    text: str = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise ShellError(reason="a secret is made of a str")
        _check_text(self.text, "a secret")

    def reveal(self) -> str:
        """Return the text."""
        return self.text

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class Raw:
    """Shell text that goes in as it is: the only way to say something unquoted.

    Nothing is checked but that a shell can read it at all; it must be a constant of the program.
    """

    text: str

    def __post_init__(self) -> None:
        _check_text(self.text, "raw text")


@dataclass(frozen=True, slots=True)
class AnyText:
    """`*` of a pattern: any text, also none."""


@dataclass(frozen=True, slots=True)
class AnyCharacter:
    """`?` of a pattern: any one character."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """The value of a variable or of a special parameter, with one of the default forms, or `#`."""

    name: str
    operator: str = ""
    operand: "Word | None" = None

    def __post_init__(self) -> None:
        if not _SPECIAL.fullmatch(self.name):
            check_name(self.name)
        elif self.operator in {"=", ":="} or (self.name == "@" and self.operator):
            raise ShellError(reason=f"${self.name} takes no such form")
        if self.operator not in _OPERATORS:
            raise ShellError(reason=f"no such form of a parameter: {self.operator!r}")
        if (self.operand is None) != (self.operator in {"", "#"}):
            raise ShellError(reason="a default form takes one word, and the plain form none")


@dataclass(frozen=True, slots=True)
class Output:
    """What a command prints, less its final newlines: `"$(…)"`."""

    command: "Node"


@dataclass(frozen=True, slots=True)
class Calculated:
    """The value of an arithmetic expression: `$((…))`."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class ArrayItem:
    """One item of an array, by its number. BASH only."""

    name: str
    index: Expression

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True, slots=True)
class ArrayItems:
    """All items of an array or values of a map, each a word of its own. BASH only."""

    name: str

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True, slots=True)
class ArrayLength:
    """How many items an array or a map has. BASH only."""

    name: str

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True, slots=True)
class MapItem:
    """The value at a key of a map. BASH only."""

    name: str
    key: "Word"

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True, slots=True)
class MapKeys:
    """All keys of a map, each a word of its own, in no order. BASH only."""

    name: str

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True, slots=True)
class Split:
    """A value left unquoted: the shell splits it at `$IFS` and expands its wildcards."""

    part: Parameter | Output


@dataclass(frozen=True, slots=True)
class Joined:
    """One word made of several parts, without anything between them."""

    parts: "tuple[Part, ...]"


_MANY = (ArrayItems, MapKeys, Split)

Part = (
    Text
    | Secret
    | Raw
    | AnyText
    | AnyCharacter
    | Parameter
    | Output
    | Calculated
    | ArrayItem
    | ArrayItems
    | ArrayLength
    | MapItem
    | MapKeys
    | Split
)
Word = Part | Joined
_Literal = str | int | float | Decimal | Fraction | os.PathLike[str]


def word(value: object) -> Word:
    """Return the value as one word: a `str`, a number, a path, or a word already.

    Raises:
        ShellError: the value is of another type (also `bytes`, `bool` and `None`), holds a NUL, or
            is not text.
    """
    if isinstance(value, str):
        return Text(value)
    if isinstance(value, Word):
        return value
    if isinstance(value, Expression):
        return Calculated(value)
    return Text(_literal(value))


def _literal(value: object) -> str:
    if isinstance(value, os.PathLike):
        path = os.fspath(value)
        if isinstance(path, str):
            return path
    if isinstance(value, Fraction):
        return _number(float(value))
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _number(value)
    reason = f"a value of type {type(value).__name__} is no word of a command"
    raise ShellError(reason=reason)


def _number(value: int | float | Decimal) -> str:  # noqa: PYI041 - three types, each meant
    text = str(value)
    if not re.fullmatch(r"-?[0-9].*", text):
        raise ShellError(reason=f"{text} is no number that a command can take")
    return text


def words(values: Sequence[object]) -> tuple[Word, ...]:
    """Return the values as words; a list or a tuple among them splices, an empty one is nothing."""
    found: list[Word] = []
    for value in values:
        if isinstance(value, list | tuple):
            found.extend(words(value))
        else:
            found.append(word(value))
    return tuple(found)


def _is_many(part: Word) -> bool:
    return isinstance(part, _MANY) or (isinstance(part, Parameter) and part.name == "@")


def single_word(value: object) -> Word:
    """Return the value as a word that is one argument whatever happens, such as a file's name.

    Raises:
        ShellError: as `word`; or it may become several arguments (`"$@"`, a split value).
    """
    found = word(value)
    if _is_many(found):
        raise ShellError(reason="one word is needed here; this may become several")
    return found


def join(*values: object) -> Word:
    """Return one word made of the values, with nothing between them; lists splice.

    >>> join("--path=", "/a b")
    Text(text='--path=/a b')

    Raises:
        ShellError: as `word`; or a part may become several arguments.
    """
    parts: list[Part] = []
    for each in words(values):
        found = single_word(each)
        for part in found.parts if isinstance(found, Joined) else (found,):
            last = parts[-1] if parts else None
            if isinstance(part, Text) and isinstance(last, Text):
                parts[-1] = Text(last.text + part.text)
            else:
                parts.append(part)
    if not parts:
        return Text("")
    return parts[0] if len(parts) == 1 else Joined(tuple(parts))
