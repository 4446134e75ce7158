"""Arithmetic as a typed tree: integers, variables and operators, never text.

Division truncates towards zero, as the shell's does, so it is `/` here and there is no `//`.
A variable that is used in arithmetic must hold an integer: bash evaluates whatever else it finds
in it, and nothing that is rendered could prevent that. Check what came from outside first.
"""

import re
from dataclasses import dataclass

from chalicelib.errors import ShellError

__all__ = ["Binary", "Expression", "Integer", "Negative", "Variable", "check_name", "num"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LARGEST = 2**63 - 1
_OPERATORS = frozenset(
    [
        "+",
        "-",
        "*",
        "/",
        "%",
        "<",
        "<=",
        ">",
        ">=",
        "==",
        "!=",
        "&",
        "|",
        "^",
        "<<",
        ">>",
        "&&",
        "||",
    ]
)


def check_name(name: str) -> str:
    """Return the name of a variable or function.

    Raises:
        ShellError: it is not letters, digits and underscores, or starts with a digit.
    """
    if not _NAME.fullmatch(name):
        raise ShellError(reason=f"not a name of the shell: {name!r}")
    return name


@dataclass(frozen=True, slots=True)
class Expression:
    """A whole number to be calculated by the shell. Operators build larger ones.

    >>> num("x") * 2 + 1 == Binary("+", Binary("*", Variable("x"), Integer(2)), Integer(1))
    True
    """

    def op(self, operator: str, other: object) -> "Expression":
        """Return this and the other under an operator: comparisons give 1 or 0.

        The operators are `+ - * / % < <= > >= == != & | ^ << >> && ||`.
        """
        return Binary(operator, self, _operand(other))

    def __add__(self, other: object) -> "Expression":
        return self.op("+", other)

    def __sub__(self, other: object) -> "Expression":
        return self.op("-", other)

    def __mul__(self, other: object) -> "Expression":
        return self.op("*", other)

    def __truediv__(self, other: object) -> "Expression":
        return self.op("/", other)

    def __mod__(self, other: object) -> "Expression":
        return self.op("%", other)

    def __neg__(self) -> "Expression":
        return Negative(self)


@dataclass(frozen=True, slots=True)
class Integer(Expression):
    """A literal of at most 63 bits and a sign."""

    value: int

    def __post_init__(self) -> None:
        if abs(self.value) > _LARGEST:
            raise ShellError(reason=f"not an integer of 64 bits: {self.value}")


@dataclass(frozen=True, slots=True)
class Variable(Expression):
    """The integer that a variable holds; 0 when it is unset. A digit names an argument."""

    name: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[1-9][0-9]{0,3}|#", self.name):
            check_name(self.name)


@dataclass(frozen=True, slots=True)
class Negative(Expression):
    """The negated value."""

    value: Expression


@dataclass(frozen=True, slots=True)
class Binary(Expression):
    """Two values under an operator."""

    operator: str
    left: Expression
    right: Expression

    def __post_init__(self) -> None:
        if self.operator not in _OPERATORS:
            raise ShellError(reason=f"no such operator: {self.operator!r}")


def _operand(value: object) -> Expression:
    if isinstance(value, Expression):
        return value
    if isinstance(value, int):
        return Integer(value)
    raise ShellError(reason=f"a value of type {type(value).__name__} is no operand")


def num(value: int | str) -> Expression:
    """Return an integer, or the integer in the variable (or argument: `"1"`, `"#"`) of that name.

    Raises:
        ShellError: neither, or the integer has more than 64 bits.
    """
    return Integer(value) if isinstance(value, int) else Variable(value)
