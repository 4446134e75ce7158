"""The statements of a script, as values. Build them with the functions of the package.

Shape only: what may stand where, what is quoted and what is indented is in `render.py`. Each class
says in its first line what the shell does with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chalicelib.errors import ShellError
from chalicelib.shell.arithmetic import Expression, check_name
from chalicelib.shell.words import Word

__all__ = [
    "Alias",
    "AndOr",
    "ArrayAssign",
    "ArraySet",
    "Assign",
    "Background",
    "Branch",
    "Case",
    "Command",
    "Document",
    "For",
    "FunctionDefinition",
    "Group",
    "If",
    "MapDeclare",
    "MapSet",
    "Negation",
    "Node",
    "Pipe",
    "Redirect",
    "Redirected",
    "Script",
    "ScriptCall",
    "Subshell",
    "While",
]


@dataclass(frozen=True, slots=True)
class Command:
    """Run a program or function with arguments, in an environment with variables added."""

    words: tuple[Word, ...]
    environment: tuple[tuple[str, Word], ...] = ()

    def __post_init__(self) -> None:
        if not self.words:
            raise ShellError(reason="a command needs at least its name")
        for name, _ in self.environment:
            check_name(name)


@dataclass(frozen=True, slots=True)
class Assign:
    """Set variables, after a keyword (`local`, `export`, `readonly`) or none."""

    variables: tuple[tuple[str, Word | None], ...]
    keyword: str = ""

    def __post_init__(self) -> None:
        for name, _ in self.variables:
            check_name(name)


@dataclass(frozen=True, slots=True)
class Script:
    """Run one after the other, whatever their statuses. Without any: succeed."""

    nodes: "tuple[Node, ...]"
    inline: bool = False


@dataclass(frozen=True, slots=True)
class AndOr:
    """Run from left to right while all succeed (`&&`), or until one does (`||`)."""

    operator: str
    nodes: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Pipe:
    """Run all at once, the output of each the input of the next. The status is the last one's."""

    nodes: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Negation:
    """Succeed if the command fails."""

    node: "Node"


@dataclass(frozen=True, slots=True)
class Background:
    """Start and don't wait."""

    node: "Node"


@dataclass(frozen=True, slots=True)
class Group:
    """Run as one command, in this shell."""

    node: "Node"


@dataclass(frozen=True, slots=True)
class Subshell:
    """Run as one command, in a copy of this shell: variables, directory and `exit` stay inside."""

    node: "Node"


@dataclass(frozen=True, slots=True)
class Redirect:
    """Connect a file descriptor to a file (`<`, `>`, `>>`, `<>`), another one, or nothing."""

    fd: int
    operator: str
    target: Word | int | None

    def __post_init__(self) -> None:
        for fd in (self.fd, self.target):
            if isinstance(fd, int) and not 0 <= fd <= 9:  # noqa: PLR2004 - one digit is all POSIX has
                raise ShellError(reason=f"a file descriptor has one digit, not {fd}")


@dataclass(frozen=True, slots=True)
class Document:
    """Give a text as input: as it is, or with its references and substitutions expanded."""

    word: Word
    expanding: bool
    fd: int = 0


@dataclass(frozen=True, slots=True)
class Redirected:
    """Run a command with its file descriptors connected, from the left to the right."""

    node: "Node"
    redirects: tuple[Redirect | Document, ...]


@dataclass(frozen=True, slots=True)
class If:
    """Run the body of the first condition that succeeds, else the last body, if there is one."""

    branches: "tuple[tuple[Node, Node], ...]"
    otherwise: "Node | None" = None


@dataclass(frozen=True, slots=True)
class Branch:
    """A body and the patterns that lead to it."""

    patterns: tuple[Word, ...]
    body: "Node"


@dataclass(frozen=True, slots=True)
class Case:
    """Run the body of the first branch that has a pattern for the word."""

    word: Word
    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class For:
    """Run the body for each word, in a variable."""

    name: str
    words: tuple[Word, ...]
    body: "Node"

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True, slots=True)
class While:
    """Run the body while the condition succeeds, or (`until`) while it fails."""

    condition: "Node"
    body: "Node"
    until: bool = False


@dataclass(frozen=True, slots=True)
class FunctionDefinition:
    """Define a function."""

    name: str
    body: "Node"

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True, slots=True)
class Alias:
    """Name a command; its text is rendered, then quoted."""

    name: str
    node: "Node"

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True, slots=True)
class ArrayAssign:
    """Make an array. BASH only."""

    name: str
    words: tuple[Word, ...]
    operator: str = "="

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True, slots=True)
class ArraySet:
    """Set one item of an array. BASH only."""

    name: str
    index: Expression
    word: Word

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True, slots=True)
class MapDeclare:
    """Make an empty map. BASH only."""

    name: str

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True, slots=True)
class MapSet:
    """Set one key of a map. BASH only."""

    name: str
    key: Word
    word: Word

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """Run what a script function is on the system that rendering is told of."""

    function: str
    implementations: "tuple[tuple[frozenset[str], Callable[..., Node]], ...]"
    arguments: tuple[Any, ...]


Node = (
    Command
    | Assign
    | Script
    | AndOr
    | Pipe
    | Negation
    | Background
    | Group
    | Subshell
    | Redirected
    | If
    | Case
    | For
    | While
    | FunctionDefinition
    | Alias
    | ArrayAssign
    | ArraySet
    | MapDeclare
    | MapSet
    | ScriptCall
)
