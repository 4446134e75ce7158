"""What words come to on a host that is in memory: text, references, substitutions, arithmetic.

Only values are walked: no text of a shell is read here. What has no meaning without such text, or
without a directory to look wildcards up in, is refused, never guessed.
"""

import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NoReturn

from chalicelib.errors import ShellError
from chalicelib.shell.arithmetic import Binary, Expression, Integer, Negative, Variable
from chalicelib.shell.commands import Document, Node
from chalicelib.shell.words import (
    AnyCharacter,
    AnyText,
    Calculated,
    Joined,
    Output,
    Parameter,
    Part,
    Raw,
    Secret,
    Text,
    Word,
)
from chalicelib.transport.scripts import ScriptText

__all__ = ["Expander", "absent", "as_bytes", "as_text", "document_text", "integer"]

# What `conditions` is made of, names and options: text that means itself to every shell.
_MEANS_ITSELF = re.compile(r"[\w@%+:,./-]+|=|!=|\[|\]", re.ASCII)
_INTEGER = re.compile(r"\s*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)\s*", re.ASCII)
_BITS = 64


def absent(what: str) -> ShellError:
    """Return the error of a command that this kind of host cannot run."""
    return ShellError(reason=f"not in memory: {what}")


def as_bytes(text: str) -> bytes:
    """Return a text as programs print it."""
    return text.encode("utf-8", "surrogateescape")


def as_text(data: bytes) -> str:
    """Return printed bytes as an argument: whatever they are, `as_bytes` gives them back."""
    return data.decode("utf-8", "surrogateescape")


def integer(text: str) -> int | None:
    """Return the integer that C reads: decimal, octal after a 0, hexadecimal after 0x; else None."""
    found = _INTEGER.fullmatch(text)
    if found is None:
        return None
    digits = found[2].lower()
    base = 16 if digits.startswith("0x") else 8 if digits.startswith("0") else 10
    value = int(digits, base)
    return -value if found[1] == "-" else value


def document_text(document: Document, text: str) -> str:
    """Return a document as it is read: with a newline at its end, unless it was written with one."""
    parts = document.word.parts if isinstance(document.word, Joined) else (document.word,)
    last = parts[-1]
    written = isinstance(last, Text | Secret) and (last.text.endswith("\n") or parts == (Text(""),))
    return text if written else f"{text}\n"


class Expander(ABC):
    """A shell as far as its words ask for it."""

    @abstractmethod
    def lookup(self, name: str) -> str | None:
        """Return the value of a variable or special parameter; None if it is unset."""

    @abstractmethod
    def set_variable(self, name: str, value: str) -> None:
        """Set a variable."""

    @abstractmethod
    def note(self, script: ScriptText) -> None:
        """Remember what a script does that a shell may be given to run."""

    @abstractmethod
    def captured(self, node: Node) -> bytes:
        """Return what a command prints, run in a copy of the shell."""

    @abstractmethod
    def give_up(self, message: str) -> NoReturn:
        """End the shell with a message, as for an expansion that fails."""

    def expand(self, word: Word) -> list[str]:
        """Return the arguments that a word becomes; `"$@"` is none, for scripts get none here."""
        return [] if word == Parameter("@") else [self.value(word)]

    def value(self, word: Word) -> str:
        """Return the text of a word that is one argument.

        Raises:
            ShellError: it has a meaning in the text of a script only, or on a real host.
        """
        match word:
            case Joined():
                return "".join(self.value(part) for part in word.parts)
            case Text() | Secret() | Raw():
                return self._literal(word)
            case Parameter():
                return self._parameter(word)
            case Output():
                printed = self.captured(word.command).replace(b"\0", b"")
                return as_text(printed.rstrip(b"\n"))
            case Calculated():
                return str(self._calculated(word.expression))
            case _:
                raise absent(f"a word of the kind {type(word).__name__}")

    def _literal(self, word: Text | Secret | Raw) -> str:
        if isinstance(word, ScriptText):
            self.note(word)
        if not isinstance(word, Raw) or _MEANS_ITSELF.fullmatch(word.text):
            return word.text
        if word.text != "$$":
            raise absent("a word of the kind Raw")
        return self._parameter(Parameter("$"))

    def pattern(self, word: Word) -> re.Pattern[str]:
        """Return the pattern of a branch."""
        parts = word.parts if isinstance(word, Joined) else (word,)
        return re.compile("".join(map(self._pattern_part, parts)), re.DOTALL)

    def _pattern_part(self, part: Part) -> str:
        match part:
            case AnyText():
                return ".*"
            case AnyCharacter():
                return "."
            case _:
                return re.escape(self.value(part))

    def _parameter(self, word: Parameter) -> str:
        value = self.lookup(word.name)
        if word.operator == "#":
            return str(len(as_bytes(value or "")))  # in bytes, as dash counts
        if word.operand is None:
            return value or ""
        missing = value is None or (word.operator.startswith(":") and not value)
        kind = word.operator[-1]
        if kind == "+":
            return "" if missing else self.value(word.operand)
        if not missing:
            return value or ""
        found = self.value(word.operand)
        if kind == "?":
            self.give_up(f"{word.name}: {found}")
        if kind == "=":
            self.set_variable(word.name, found)
        return found

    def _calculated(self, expression: Expression) -> int:
        match expression:
            case Integer():
                return expression.value
            case Variable():
                return self._integer_of(expression.name)
            case Negative():
                return _wrapped(-self._calculated(expression.value))
            case Binary():
                return self._binary(expression)
            case _:  # pragma: no cover - the classes of expressions are these
                raise absent(f"arithmetic of the kind {type(expression).__name__}")

    def _integer_of(self, name: str) -> int:
        text = self.lookup(name) or "0"
        value = integer(text)
        if value is None:
            self.give_up(f"Illegal number: {text}")
        return _wrapped(value)

    def _binary(self, node: Binary) -> int:
        left = self._calculated(node.left)
        if node.operator in {"&&", "||"}:
            decided = bool(left) == (node.operator == "||")
            return int(bool(left) if decided else bool(self._calculated(node.right)))
        right = self._calculated(node.right)
        if node.operator in {"/", "%"} and right == 0:
            self.give_up("arithmetic expression: division by zero")
        return _wrapped(int(_ARITHMETIC[node.operator](left, right)))


def _wrapped(value: int) -> int:
    """Return the value as a signed integer of 64 bits holds it."""
    half = 1 << (_BITS - 1)
    return (value + half) % (1 << _BITS) - half


def _quotient(left: int, right: int) -> int:
    size = abs(left) // abs(right)
    return size if (left < 0) == (right < 0) else -size


_ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _quotient,
    "%": lambda left, right: left - right * _quotient(left, right),
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "<<": lambda left, right: left << right % _BITS,
    ">>": lambda left, right: left >> right % _BITS,
}
