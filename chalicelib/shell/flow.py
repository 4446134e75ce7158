"""Choices, loops and scopes. Bodies are commands, templates or lists of them; empty ones do nothing."""

from collections.abc import Sequence

from chalicelib.errors import ShellError
from chalicelib.shell.commands import (
    AndOr,
    Branch,
    Case,
    Command,
    For,
    If,
    Negation,
    Node,
    Redirected,
    Script,
    Subshell,
    While,
)
from chalicelib.shell.conditions import is_not_empty
from chalicelib.shell.lists import Item, nodes
from chalicelib.shell.redirections import duplicate_from, expanding_document
from chalicelib.shell.variables import arguments, assign, output, ref
from chalicelib.shell.words import (
    AnyCharacter,
    AnyText,
    Joined,
    Parameter,
    Text,
    Word,
    join,
    single_word,
    words,
)

__all__ = [
    "any_character",
    "any_text",
    "branch",
    "break_",
    "case",
    "continue_",
    "exit_",
    "for_arguments",
    "for_each",
    "for_lines",
    "if_",
    "otherwise",
    "return_",
    "unless",
    "until",
    "when",
    "while_",
    "within",
]

Body = Item | Sequence[Item]


def _body(items: Body) -> Node:
    return Script(nodes([items]))


def any_text() -> AnyText:
    """Return the pattern for any text, to be joined with literals."""
    return AnyText()


def any_character() -> AnyCharacter:
    """Return the pattern for any one character."""
    return AnyCharacter()


def if_(
    condition: Item,
    then: Body,
    *,
    elif_: Sequence[tuple[Item, Body]] = (),
    else_: Body | None = None,
) -> Node:
    """Run the body of the first condition that holds, else the last one if it is given."""
    branches = [(condition, then), *elif_]
    bodies = tuple((_body(asked), _body(body)) for asked, body in branches)
    return If(bodies, None if else_ is None else _body(else_))


def when(condition: Item, *body: Item) -> Node:
    """Run the body if the condition holds."""
    return if_(condition, body)


def unless(condition: Item, *body: Item) -> Node:
    """Run the body if the condition does not hold."""
    return If(((Negation(_body(condition)), _body(body)),))


def branch(patterns: object, *body: Item) -> Branch:
    """Return a body for `case`, for one pattern or a list of them.

    Literals match themselves. `any_text()` and `any_character()` are wild.

    Raises:
        ShellError: there is no pattern, or one that would assign a variable.
    """
    found = words([patterns])
    if not found:
        raise ShellError(reason="a branch needs a pattern")
    for each in found:
        for part in each.parts if isinstance(each, Joined) else (each,):
            # Bash 5.2 takes the quotes of `"${x="${y}"}"` for text when it matches.
            if isinstance(part, Parameter) and part.operator in {"=", ":="}:
                raise ShellError(reason="a pattern assigns no variable")
    return Branch(found, _body(body))


def otherwise(*body: Item) -> Branch:
    """Return a body for `case`, for whatever the branches before it have not matched."""
    return branch(AnyText(), *body)


def case(value: object, *branches: Branch) -> Node:
    """Run the body of the first branch with a pattern that matches the whole value."""
    return Case(single_word(value), branches)


def for_each(name: str, values: Sequence[object], *body: Item) -> Node:
    """Run the body for each word, in a variable.

    `[split(output(…))]` gives the words of a command's output as the shell splits them, wildcards
    expanded; `for_lines` is safer.
    """
    return For(name, words(values), _body(body))


def for_arguments(name: str, *body: Item) -> Node:
    """Run the body for each argument, whatever is in it."""
    return For(name, (arguments(),), _body(body))


def for_lines(name: str, command: Item, *body: Item) -> Node:
    """Run the body for each line that the command prints, in a variable, but for empty lines.

    It runs in this shell, so what it sets stays. Nothing is split or expanded. The lines come on
    descriptor 3, so that the body has the standard input of the loop. The command ends first.
    """
    read = Command((Text("read"), Text("-r"), Text(name)), (("IFS", Text("")),))
    condition = Redirected(read, (duplicate_from(0, 3),))
    # The document has one empty line when the command prints nothing.
    filled = If(((is_not_empty(ref(name)), _body(body)),))
    loop = Redirected(While(condition, filled), (expanding_document(ref(name), fd=3),))
    # Not as a substitution in the document: see `expanding_document`.
    return Script((assign(name, output(command)), loop))


def while_(condition: Item, *body: Item) -> Node:
    """Run the body as long as the condition holds."""
    return While(_body(condition), _body(body))


def until(condition: Item, *body: Item) -> Node:
    """Run the body as long as the condition does not hold."""
    return While(_body(condition), _body(body), until=True)


def _status(name: str, status: object) -> Node:
    if isinstance(status, int) and not 0 <= status <= 255:  # noqa: PLR2004 - what a status can be
        raise ShellError(reason=f"a status is 0 to 255, not {status}")
    return Command((Text(name),) if status is None else (Text(name), single_word(status)))


def return_(status: object = None) -> Node:
    """Leave the function, with a status or the last command's."""
    return _status("return", status)


def exit_(status: object = None) -> Node:
    """Leave the shell (or subshell), with a status or the last command's."""
    return _status("exit", status)


def break_() -> Node:
    """Leave the innermost loop."""
    return Command((Text("break"),))


def continue_() -> Node:
    """Go on with the next round of the innermost loop."""
    return Command((Text("continue"),))


def within(directory: object, *body: Item) -> Node:
    """Run the body in a directory, and come back. If that can't be entered, fail with its status.

    The body has a subshell of its own: its variables are gone afterwards, `exit` leaves it alone.
    """
    enter = Command((Text("cd"), Text("--"), _relative(single_word(directory))), _NO_CDPATH)
    return Subshell(Script((AndOr("||", (enter, exit_())), *nodes(body))))


_NO_CDPATH = (("CDPATH", Text("")),)


def _relative(directory: Word) -> Word:
    """A literal `-` would mean the directory before this one."""
    first = directory.parts[0] if isinstance(directory, Joined) else directory
    return join("./", directory) if isinstance(first, Text) and first.text[:1] == "-" else directory
