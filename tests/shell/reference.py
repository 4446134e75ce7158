"""A small shell in Python: what a program of the DSL means, to compare real shells against.

It walks the values and knows nothing of rendering, quoting or any shell's text. It knows the
commands that the generated programs use: `printf`, `cat`, `read`, `[`, `true`, `false`, `exit` …
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from chalicelib.shell import Node
from chalicelib.shell.arithmetic import Binary, Expression, Integer, Negative, Variable
from chalicelib.shell.commands import (
    AndOr,
    Assign,
    Background,
    Case,
    Command,
    Document,
    For,
    FunctionDefinition,
    Group,
    If,
    Negation,
    Pipe,
    Redirect,
    Redirected,
    Script,
    Subshell,
    While,
)
from chalicelib.shell.words import (
    AnyText,
    Calculated,
    Joined,
    Output,
    Parameter,
    Raw,
    Secret,
    Text,
    Word,
)
from tests.shell.arithmetic_reference import ARITHMETIC, NUMBERS


class _ExitError(Exception):
    """The shell ends."""


class _ReturnError(Exception):
    """The function ends."""


class _BreakError(Exception):
    """The loop ends."""


@dataclass
class _Stream:
    """What was written and not yet read; a fork shares it, as processes share an open file."""

    text: str = ""

    def line(self) -> str | None:
        if not self.text:
            return None
        line, _, self.text = self.text.partition("\n")
        return line


@dataclass
class Shell:
    """The state of a shell."""

    streams: dict[int, _Stream]
    variables: dict[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    functions: dict[str, Node] = field(default_factory=dict)
    status: int = 0

    def fork(self, **streams: _Stream) -> "Shell":
        """Return a copy: what it does to variables and functions stays there."""
        numbered = {int(name[2:]): stream for name, stream in streams.items()}
        return Shell(
            {**self.streams, **numbered},
            dict(self.variables),
            list(self.arguments),
            dict(self.functions),
            self.status,
        )

    def run_inside(self, node: Node) -> int:
        """Run a command as a process of its own and return its status."""
        with suppress(_ExitError, _ReturnError):
            self.run(node)
        return self.status

    # Words.

    def expand(self, word: Word) -> list[str]:
        """Return the arguments that a word becomes."""
        if isinstance(word, Parameter) and word.name == "@":
            return list(self.arguments)
        return [self.value(word)]

    def value(self, word: Word) -> str:
        """Return the text of a word that is one argument."""
        match word:
            case Joined():
                return "".join(self.value(part) for part in word.parts)
            case Text() | Secret() | Raw():
                return word.text
            case Parameter():
                return self._parameter(word)
            case Output():
                inside = self.fork(fd1=_Stream())
                self.status = inside.run_inside(word.command)
                return inside.streams[1].text.rstrip("\n")
            case Calculated():
                return str(self.calculate(word.expression))
            case _:
                raise NotImplementedError(word)

    def _parameter(self, word: Parameter) -> str:
        value = self._lookup(word.name)
        missing = value is None or (word.operator[:1] == ":" and not value)
        if word.operator == "#":
            return str(len((value or "").encode()))
        if word.operand is None:
            return value or ""
        kind = word.operator[-1]
        if kind == "+":
            return "" if missing else self.value(word.operand)
        if not missing:
            return value or ""
        found = self.value(word.operand)
        if kind == "=":
            self.variables[word.name] = found
        return found

    def _lookup(self, name: str) -> str | None:
        if name == "#":
            return str(len(self.arguments))
        if name == "?":
            return str(self.status)
        if name.isdigit():
            number = int(name) - 1
            return self.arguments[number] if number < len(self.arguments) else None
        return self.variables.get(name)

    def calculate(self, expression: Expression) -> int:
        """Return the value of an expression, with C's division."""
        match expression:
            case Integer():
                return expression.value
            case Variable():
                return int(self._lookup(expression.name) or 0)
            case Negative():
                return -self.calculate(expression.value)
            case Binary():
                left, right = self.calculate(expression.left), self.calculate(expression.right)
                return int(ARITHMETIC[expression.operator](left, right))
            case _:
                raise NotImplementedError(expression)

    # Statements.

    def run(self, node: Node) -> None:
        """Run a command; its status is the shell's afterwards."""
        _STATEMENTS[type(node)](self, node)

    def test(self, node: Node) -> bool:
        """Run a command and return whether it succeeded."""
        self.run(node)
        return self.status == 0

    def _script(self, node: Script) -> None:
        if not node.nodes:
            self.status = 0
        for each in node.nodes:
            self.run(each)

    def _and_or(self, node: AndOr) -> None:
        self.status = 0 if node.operator == "&&" else 1
        for each in node.nodes:
            if (self.status == 0) == (node.operator == "||"):
                return
            self.run(each)

    def _pipe(self, node: Pipe) -> None:
        fed = self.streams[0]
        for number, each in enumerate(node.nodes):
            last = number == len(node.nodes) - 1
            into = self.streams[1] if last else _Stream()
            self_status = self.fork(fd0=fed, fd1=into).run_inside(each)
            fed = into
            if last:
                self.status = self_status

    def _negation(self, node: Negation) -> None:
        self.run(node.node)
        self.status = int(self.status == 0)

    def _background(self, node: Background) -> None:
        self.fork(fd0=_Stream()).run_inside(node.node)
        self.status = 0

    def _group(self, node: Group) -> None:
        self.run(node.node)

    def _subshell(self, node: Subshell) -> None:
        self.status = self.fork().run_inside(node.node)

    def _redirected(self, node: Redirected) -> None:
        outside, self.streams = self.streams, dict(self.streams)
        try:
            for each in node.redirects:
                self.streams[each.fd] = self._redirect(each)
            self.run(node.node)
        finally:
            self.streams = outside

    def _redirect(self, each: Redirect | Document) -> _Stream:
        if isinstance(each, Document):
            text = self.value(each.word)
            return _Stream(text if _is_ended(each) else text + "\n")
        if isinstance(each.target, int):
            return self.streams[each.target]
        return _Stream()

    def _choice(self, node: If) -> None:
        for condition, body in node.branches:
            if self.test(condition):
                self.run(body)
                return
        self.status = 0
        if node.otherwise is not None:
            self.run(node.otherwise)

    def _case(self, node: Case) -> None:
        value = self.value(node.word)
        for branch in node.branches:
            for pattern in branch.patterns:
                if isinstance(pattern, AnyText) or self.value(pattern) == value:
                    self.run(branch.body)
                    return
        self.status = 0

    def _loop_words(self, node: For) -> None:
        words = [each for word in node.words for each in self.expand(word)]
        self.status = 0
        for self.variables[node.name] in words:
            try:
                self.run(node.body)
            except _BreakError:
                self.status = 0
                return

    def _loop(self, node: While) -> None:
        status = 0
        while self.test(node.condition) != node.until:
            try:
                self.run(node.body)
            except _BreakError:
                self.status = 0
                return
            status = self.status
        self.status = status

    def _define(self, node: FunctionDefinition) -> None:
        self.functions[node.name] = node.body
        self.status = 0

    def _assign(self, node: Assign) -> None:
        self.status = 0
        for name, word in node.variables:
            if word is not None:
                self.variables[name] = self.value(word)

    def _command(self, node: Command) -> None:
        name, *arguments = [each for word in node.words for each in self.expand(word)]
        if name in self.functions:
            self._call(self.functions[name], arguments)
        else:
            self.status = _COMMANDS[name](self, arguments)

    def _call(self, body: Node, arguments: list[str]) -> None:
        outside, self.arguments = self.arguments, arguments
        try:
            self.status = 0
            self.run(body)
        except _ReturnError:
            pass
        finally:
            self.arguments = outside


def interpret(node: Node) -> tuple[int, str]:
    """Return the exit status of a program, and what it prints on standard output."""
    shell = Shell({0: _Stream(), 1: _Stream(), 2: _Stream()})
    status = shell.run_inside(node)
    return status, shell.streams[1].text


def _is_ended(document: Document) -> bool:
    """Whether the text as written ends a line: a line with an empty value is still a line."""
    parts = document.word.parts if isinstance(document.word, Joined) else (document.word,)
    last = parts[-1]
    return isinstance(last, Text) and (last.text.endswith("\n") or parts == (Text(""),))


def _printf(shell: Shell, arguments: list[str]) -> int:
    form, *values = arguments
    end = "\n" if form.endswith("\\n") else ""
    shell.streams[1].text += "".join(value + end for value in values or [""])
    return 0


def _cat(shell: Shell, _: list[str]) -> int:
    shell.streams[1].text += shell.streams[0].text
    shell.streams[0].text = ""
    return 0


def _read(shell: Shell, arguments: list[str]) -> int:
    line = shell.streams[0].line()
    shell.variables[arguments[-1]] = line or ""
    return int(line is None)


def _exit(shell: Shell, arguments: list[str]) -> int:
    shell.status = int(arguments[0]) if arguments else shell.status
    raise _ExitError


def _return(shell: Shell, arguments: list[str]) -> int:
    shell.status = int(arguments[0]) if arguments else shell.status
    raise _ReturnError


def _break(shell: Shell, _: list[str]) -> int:
    shell.status = 0
    raise _BreakError


def _test(_: Shell, arguments: list[str]) -> int:
    if len(arguments) == 3:
        return int(bool(arguments[1]) != (arguments[0] == "-n"))
    left, operator, right, _end = arguments
    if operator in {"=", "!="}:
        return int((left == right) != (operator == "="))
    return int(not NUMBERS[operator](int(left), int(right)))


_COMMANDS: dict[str, Callable[[Shell, list[str]], int]] = {
    "printf": _printf,
    "cat": _cat,
    "read": _read,
    "exit": _exit,
    "return": _return,
    "break": _break,
    "[": _test,
    "true": lambda _shell, _arguments: 0,
    "wait": lambda _shell, _arguments: 0,
    "false": lambda _shell, _arguments: 1,
}
_STATEMENTS: dict[type, Callable[[Shell, Any], None]] = {
    Script: Shell._script,
    AndOr: Shell._and_or,
    Pipe: Shell._pipe,
    Negation: Shell._negation,
    Background: Shell._background,
    Group: Shell._group,
    Subshell: Shell._subshell,
    Redirected: Shell._redirected,
    If: Shell._choice,
    Case: Shell._case,
    For: Shell._loop_words,
    While: Shell._loop,
    FunctionDefinition: Shell._define,
    Assign: Shell._assign,
    Command: Shell._command,
}
