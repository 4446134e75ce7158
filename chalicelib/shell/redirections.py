"""Where input comes from and output goes to: files, other descriptors, texts."""

from chalicelib.errors import ShellError
from chalicelib.shell.commands import Document, Group, Node, Redirect, Redirected, Script
from chalicelib.shell.lists import Item, nodes
from chalicelib.shell.words import (
    Joined,
    Output,
    Parameter,
    Secret,
    Split,
    Text,
    Word,
    join,
    single_word,
)

__all__ = [
    "append_to",
    "both_to",
    "close_fd",
    "document",
    "duplicate",
    "duplicate_from",
    "expanding_document",
    "read_from",
    "read_write",
    "redirect",
    "stderr_to",
    "write_to",
]

_Redirection = Redirect | Document | tuple[Redirect, ...]


def redirect(item: Item, *redirections: _Redirection) -> Node:
    """Return the command with its descriptors connected, in this order, as the shell does it.

    The order matters: `write_to("f"), duplicate(2, 1)` sends both to the file,
    `duplicate(2, 1), write_to("f")` leaves errors where output went before.
    """
    found = nodes([item])
    node = found[0] if len(found) == 1 else Group(Script(found))
    flat: list[Redirect | Document] = []
    for each in redirections:
        flat.extend(each if isinstance(each, tuple) else (each,))
    return Redirected(node, tuple(flat)) if flat else node


def read_from(path: object, fd: int = 0) -> Redirect:
    """Take input from a file."""
    return Redirect(fd, "<", single_word(path))


def read_write(path: object, fd: int = 0) -> Redirect:
    """Open a file for reading and writing; make it if it is missing."""
    return Redirect(fd, "<>", single_word(path))


def write_to(path: object, fd: int = 1) -> Redirect:
    """Send output to a file, which is emptied first."""
    return Redirect(fd, ">", single_word(path))


def append_to(path: object, fd: int = 1) -> Redirect:
    """Send output to the end of a file."""
    return Redirect(fd, ">>", single_word(path))


def stderr_to(path: object) -> Redirect:
    """Send errors to a file, which is emptied first."""
    return write_to(path, fd=2)


def both_to(path: object) -> tuple[Redirect, ...]:
    """Send output and errors to a file, which is emptied first."""
    return write_to(path), duplicate(2, 1)


def duplicate(fd: int, of: int) -> Redirect:
    """Make a descriptor the same as another: `duplicate(2, 1)` sends errors where output goes."""
    return Redirect(fd, ">", of)


def duplicate_from(fd: int, of: int) -> Redirect:
    """Make a descriptor the same as another that is open for reading."""
    return Redirect(fd, "<", of)


def close_fd(fd: int) -> Redirect:
    """Close a descriptor."""
    return Redirect(fd, ">", None)


def document(text: str | Secret, fd: int = 0) -> Document:
    """Give a text as input, exactly; a final newline is added if it lacks one.

    Raises:
        ShellError: it is no text, or holds a NUL.
    """
    found = single_word(text)
    if not isinstance(found, Text | Secret):
        raise ShellError(reason="a document is literal text: use expanding_document")
    return Document(found, expanding=False, fd=fd)


def expanding_document(*parts: object, fd: int = 0) -> Document:
    """Give a text as input in which references are replaced by their values.

    Literal parts stay as they are, whatever they hold. A final newline is added unless the text
    as written ends with one, whatever the values are.

    Raises:
        ShellError: a part is no single word, a reference with a default form, or the output of a
            command. Assign these to a variable first: in a document the shells disagree about
            quotes inside a default, and bash 5.2 joins lines that end with a backslash even inside
            a substitution.
    """
    found = join(*parts)
    for part in found.parts if isinstance(found, Joined) else (found,):
        _check_part(part)
    return Document(found, expanding=True, fd=fd)


def _check_part(part: Word) -> None:
    inner = part.part if isinstance(part, Split) else part
    if isinstance(inner, Output) or (isinstance(inner, Parameter) and inner.operand is not None):
        reason = "no default or output of a command in a document: assign it to a variable first"
        raise ShellError(reason=reason)
