"""The statements of a shell on a host that is in memory: the values of a command, as dash runs them.

It knows how commands are put together, not what programs do: these are functions that get a
`Process`. Nothing of it is text of a shell, so what a command holds of such (`Raw`) is refused.
"""

import errno
from collections.abc import Callable
from typing import Any

from chalicelib.shell.commands import (
    AndOr,
    Assign,
    Background,
    Case,
    Command,
    Document,
    For,
    Group,
    If,
    Negation,
    Node,
    Pipe,
    Redirect,
    Redirected,
    Script,
    Subshell,
    While,
)
from chalicelib.shell.words import Raw, Text, Word
from chalicelib.transport.memory_builtins import BUILTINS, REFUSED, SPECIAL
from chalicelib.transport.memory_files import Buffer, Descriptor
from chalicelib.transport.memory_state import ExitError, LoopError, Shell
from chalicelib.transport.memory_words import absent, as_bytes, document_text

__all__ = ["evaluate"]

_BAD_USE = 2


def evaluate(shell: Shell, node: Node) -> None:
    """Run a command in a shell; its status is the shell's afterwards.

    Raises:
        ShellError: the command needs a real host.
    """
    statement = _STATEMENTS.get(type(node))
    if statement is None:
        raise absent(f"a command of the kind {type(node).__name__}")
    statement(shell, node)


def _script(shell: Shell, node: Script) -> None:
    if not node.nodes:
        shell.status = 0
    for each in node.nodes:
        shell.run(each)


def _and_or(shell: Shell, node: AndOr) -> None:
    ends_at = node.operator == "||"
    if not node.nodes:
        shell.status = int(ends_at)
    for number, each in enumerate(node.nodes):
        if number and (shell.status == 0) == ends_at:
            return
        shell.run(each)


def _pipe(shell: Shell, node: Pipe) -> None:
    """One after the other: what prints without end, for a `head` to stop it, never ends here."""
    if not node.nodes:
        shell.status = 0
    fed, last = shell.descriptors.get(0, Buffer()), len(node.nodes) - 1
    for number, each in enumerate(node.nodes):
        between = Buffer()
        into: dict[int, Descriptor] = {} if number == last else {1: between}
        status = shell.fork({0: fed, **into}).run_to_end(each)
        fed = between
        if number == last:
            shell.status = status


def _negation(shell: Shell, node: Negation) -> None:
    shell.status = int(shell.succeeds(node.node))


def _background(shell: Shell, node: Background) -> None:
    """At once and to its end: there is one thread, and what comes after may rely on it."""
    shell.fork({0: Buffer()}).run_to_end(node.node)
    shell.background = str(shell.system.processes.number())
    shell.status = 0


def _group(shell: Shell, node: Group) -> None:
    shell.run(node.node)


def _subshell(shell: Shell, node: Subshell) -> None:
    shell.status = shell.fork().run_to_end(node.node)


def _redirected(shell: Shell, node: Redirected) -> None:
    outside, shell.descriptors = shell.descriptors, dict(shell.descriptors)
    try:
        for each in node.redirects:
            _connect(shell, each)
    except OSError as error:
        shell.descriptors = outside
        shell.complain(f"sh: cannot open {error.filename or 'a descriptor'}: {error.strerror}")
        shell.status = _BAD_USE
        if _is_special(node.node):
            raise ExitError from error  # POSIX: the error of a special builtin ends the shell
        return
    try:
        shell.run(node.node)
    finally:
        opened = {*shell.descriptors.values()} - {*outside.values()}
        shell.descriptors = outside
        for descriptor in opened:
            descriptor.close()


def _is_special(node: Node) -> bool:
    first = node.words[0] if isinstance(node, Command) else None
    return isinstance(first, Text | Raw) and first.text in SPECIAL


def _connect(shell: Shell, each: Redirect | Document) -> None:
    if isinstance(each, Document):
        text = document_text(each, shell.value(each.word))
        shell.descriptors[each.fd] = Buffer(as_bytes(text))
    elif each.target is None:
        shell.descriptors.pop(each.fd, None)
    elif isinstance(each.target, int):
        shell.descriptors[each.fd] = shell.descriptor(each.target)
    else:
        path = shell.path(shell.value(each.target))
        shell.descriptors[each.fd] = shell.system.files.open(path, each.operator)


def _if(shell: Shell, node: If) -> None:
    for condition, body in node.branches:
        if shell.succeeds(condition):
            shell.run(body)
            return
    shell.status = 0
    if node.otherwise is not None:
        shell.run(node.otherwise)


def _case(shell: Shell, node: Case) -> None:
    value = shell.value(node.word)
    for branch in node.branches:
        for pattern in branch.patterns:
            if shell.pattern(pattern).fullmatch(value):
                shell.run(branch.body)
                return
    shell.status = 0


def _for(shell: Shell, node: For) -> None:
    values = [each for word in node.words for each in shell.expand(word)]
    if not values:
        shell.status = 0
    for value in values:
        shell.set_variable(node.name, value)
        if not _goes_on_after(shell, node.body):
            return


def _while(shell: Shell, node: While) -> None:
    status = 0
    try:
        while shell.succeeds(node.condition) != node.until:
            if not _goes_on_after(shell, node.body):
                return
            status = shell.status
    except LoopError:  # in the condition
        status = 0
    shell.status = status


def _goes_on_after(shell: Shell, body: Node) -> bool:
    try:
        shell.run(body)
    except LoopError as error:
        shell.status = 0
        return error.goes_on
    return True


def _assign(shell: Shell, node: Assign) -> None:
    if node.keyword not in {"", "export"}:
        raise absent(f"{node.keyword} variables")
    shell.substitution_status()
    for name, word in node.variables:
        if word is not None:
            shell.set_variable(name, shell.value(word))
        if node.keyword:
            shell.exported.add(name)
    shell.status = 0 if node.keyword else shell.substitution_status()


def _command(shell: Shell, node: Command) -> None:
    shell.substitution_status()
    words = [each for word in node.words for each in shell.expand(word)]
    added = _valued(shell, node.environment)
    if not words:
        shell.variables.update(added)
        shell.status = shell.substitution_status()
        return
    name, *arguments = words
    if name in REFUSED:
        raise absent(name)
    try:
        if name in BUILTINS:
            shell.status = _builtin(shell, name, arguments, added)
        else:
            exported = shell.exported & shell.variables.keys()
            known = {each: shell.variables[each] for each in exported}
            shell.status = shell.started(words, {**known, **added})
    except OSError as error:
        if error.errno != errno.EBADF:
            raise  # a program has to say itself what was wrong with its files
        shell.complain(f"{name}: {error.strerror}")
        shell.status = 1


def _valued(shell: Shell, pairs: tuple[tuple[str, Word], ...]) -> dict[str, str]:
    return {name: shell.value(word) for name, word in pairs}


def _builtin(shell: Shell, name: str, arguments: list[str], added: dict[str, str]) -> int:
    before = {each: shell.variables.get(each) for each in added}
    shell.variables.update(added)
    try:
        return BUILTINS[name](shell, arguments)
    finally:
        for each, value in before.items():
            if name not in SPECIAL and value is None:
                shell.variables.pop(each, None)
            elif name not in SPECIAL and value is not None:
                shell.variables[each] = value


_STATEMENTS: dict[type, Callable[[Shell, Any], None]] = {
    AndOr: _and_or,
    Assign: _assign,
    Background: _background,
    Case: _case,
    Command: _command,
    For: _for,
    Group: _group,
    If: _if,
    Negation: _negation,
    Pipe: _pipe,
    Redirected: _redirected,
    Script: _script,
    Subshell: _subshell,
    While: _while,
}
