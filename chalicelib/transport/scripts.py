"""The text of a script among the words of a command, with the command that it is the text of.

What runs a program as another user has to name the program's arguments, and for a script these hold
its text. A real shell reads that; the host in memory reads no text, and runs the command instead.
"""

from dataclasses import dataclass, field

from chalicelib.shell import Node
from chalicelib.shell.commands import Command
from chalicelib.shell.words import Text, Word
from chalicelib.transport.invocation import Invocation

__all__ = ["ScriptText", "as_words"]


@dataclass(frozen=True, slots=True)
class ScriptText(Text):
    """A literal that a shell is given to run.

    Attributes:
        command: what it does.
        fed: how many bytes it takes from its input first, because they are the command's own text.
    """

    command: Node = field(compare=False, repr=False)
    fed: int = field(default=0, compare=False)


def as_words(node: Node, made: Invocation) -> tuple[Word, ...]:
    """Return the arguments that the command `node` was made into, so that it is still known."""
    if isinstance(node, Command):
        literal = [each.text if isinstance(each, Text) else None for each in node.words]
        if literal == list(made.arguments):
            return node.words  # no script was made of it; it may hold one
    *shell, text = made.arguments
    return (*map(Text, shell), ScriptText(text, node, made.fed))
