"""Commands and how they follow each other: the talk's `sh/q` and `sh/q-chain`, and their kin.

Where a function takes commands, a constant template stands for a command, a list splices, and an
empty list is nothing.
"""

from collections.abc import Mapping, Sequence
from typing import LiteralString

from chalicelib.errors import ShellError
from chalicelib.shell.commands import (
    AndOr,
    Background,
    Command,
    Group,
    Negation,
    Node,
    Pipe,
    Script,
    Subshell,
)
from chalicelib.shell.template import TemplateString, template_command
from chalicelib.shell.words import words

__all__ = [
    "Item",
    "all_of",
    "any_of",
    "background",
    "command",
    "group",
    "nodes",
    "not_",
    "pipe",
    "q",
    "q_chain",
    "q_or",
    "script",
    "subshell",
]

Item = Node | LiteralString | TemplateString | Sequence["Item"]


def command(*arguments: object) -> Command:
    """Return a program or function with its arguments; lists splice.

    Raises:
        ShellError: there are none, or one is no word (see `word`).
    """
    return Command(words(arguments))


def nodes(items: Sequence[Item], values: Mapping[str, object] | None = None) -> tuple[Node, ...]:
    """Return the items as commands: templates filled with the values, lists spliced.

    Raises:
        ShellError: an item is no command, or a value is used by no template.
    """
    used: set[str] = set()
    found = tuple(_nodes(items, values or {}, used))
    if unused := sorted(set(values or {}) - used):
        raise ShellError(reason=f"no template takes {', '.join(unused)}")
    return found


def _nodes(items: Sequence[Item], values: Mapping[str, object], used: set[str]) -> list[Node]:
    found: list[Node] = []
    for item in items:
        if isinstance(item, list | tuple):
            found += _nodes(item, values, used)
        elif isinstance(item, Node):
            found.append(item)
        elif isinstance(item, str | TemplateString):
            found.append(template_command(item, values, used))
        else:
            raise ShellError(reason=f"a value of type {type(item).__name__} is no command")
    return found


def q(*items: Item, **values: object) -> Node:
    """Return the commands one after the other.

    >>> from chalicelib.shell import render
    >>> print(render(q("foo", "bar")))
    foo; bar
    >>> print(render(q("git log -1 {commit}", commit="a b")))
    git log -1 'a b'

    Raises:
        ShellError: a template is malformed; a placeholder has no value, or a value no placeholder.
    """
    return _only(Script(nodes(items, values), inline=True))


def q_chain(*items: Item, **values: object) -> Node:
    """Return the commands one after the other while they succeed. None at all succeed.

    >>> from chalicelib.shell import render
    >>> print(render(q_chain("foo", "bar")))
    foo && bar

    Raises:
        ShellError: as `q`.
    """
    return _only(AndOr("&&", nodes(items, values)))


def q_or(*items: Item, **values: object) -> Node:
    """Return the commands one after the other until one succeeds. None at all fail.

    Raises:
        ShellError: as `q`.
    """
    return _only(AndOr("||", nodes(items, values)))


def _only(node: Script | AndOr | Pipe) -> Node:
    return node.nodes[0] if len(node.nodes) == 1 else node


def script(*items: Item) -> Node:
    """Return the commands one after the other, each on a line of its own."""
    return Script(nodes(items))


def pipe(*items: Item) -> Node:
    """Return the commands running at once, each fed by the one before. The last one's status."""
    return _only(Pipe(nodes(items)))


def group(*items: Item) -> Node:
    """Return the commands as one, in the same shell."""
    return Group(Script(nodes(items)))


def subshell(*items: Item) -> Node:
    """Return the commands as one, in a copy of the shell: nothing but output and status leaves."""
    return Subshell(Script(nodes(items)))


def background(*items: Item) -> Node:
    """Return the commands as one that is started and not waited for."""
    return Background(_one(items))


def not_(item: Item) -> Node:
    """Return the command with its success and failure exchanged."""
    return Negation(_one([item]))


def all_of(*conditions: Item) -> Node:
    """Return the condition that all hold; true of none."""
    return _only(AndOr("&&", nodes(conditions)))


def any_of(*conditions: Item) -> Node:
    """Return the condition that one at least holds; false of none."""
    return _only(AndOr("||", nodes(conditions)))


def _one(items: Sequence[Item]) -> Node:
    return _only(Script(nodes(items)))
