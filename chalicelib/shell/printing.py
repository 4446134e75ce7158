"""Printing, always by `printf` with a constant format: `echo` reads `-n` and backslashes."""

from chalicelib.shell.commands import Command
from chalicelib.shell.words import Text, Word, join, words

__all__ = ["print_lines", "print_text", "println"]


def println(*values: object) -> Command:
    """Print the values on one line with spaces between them; an empty line if there are none."""
    parts: list[Word] = []
    for each in words(values):
        parts += [Text(" "), each] if parts else [each]
    return Command((Text("printf"), Text("%s\\n"), join(parts)))


def print_lines(*values: object) -> Command:
    """Print each value on a line of its own; takes `arguments()` too. An empty line for none."""
    return Command((Text("printf"), Text("%s\\n"), *words(values)))


def print_text(*values: object) -> Command:
    """Print the values with nothing between or after them."""
    return Command((Text("printf"), Text("%s"), join(*values)))
