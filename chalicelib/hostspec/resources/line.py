"""A line in a file that others write as well; all other lines stay as they are."""

from dataclasses import dataclass
from typing import ClassVar

from chalicelib.errors import ShellError, SpecError
from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.hostspec.resources.edits import Lines, put_line, remove_lines, starting
from chalicelib.hostspec.resources.path_facts import CONTENTS, check_path
from chalicelib.shell import Node, Secret

__all__ = ["Line"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line(Resource):
    """A line in a text file of up to 64 KiB.

    The first line that is it, or is meant by `instead_of`, becomes it; all others of these go. With
    none, it comes last. `absent` removes all of them.

    Attributes:
        path: of the file, absolute. A missing file is made.
        text: the line, without its end; or a `Secret`, which needs `instead_of`.
        instead_of: lines that it takes the place of: how they start, exactly (`"Port "`), or
            `edits.with_field(1, "Port")`.
        mode: permission bits of a file that is made. Default: 0644.
    """

    kind: ClassVar[str] = "line"

    path: str
    text: str | Secret = ""
    instead_of: str | Lines = ""
    mode: int = 0o644

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_path(self, self.path)
        check(self, self._chosen or isinstance(self.text, str), "a secret needs instead_of")
        revealed = self._revealed
        one = "\n" not in revealed and (revealed or (self.absent and self._chosen))
        check(self, one, "text: it is one line, and not empty")
        try:
            self.actions()
        except ShellError as error:
            raise SpecError(reason=f"{self.name}: {error}") from error

    @property
    def subject(self) -> str:
        """The path, and which line."""
        if self._chosen:
            return f"{self.path} {self._chosen.text}".strip()
        return f"{self.path} {self.text if isinstance(self.text, str) else ''}"

    @property
    def wants(self) -> tuple[str, ...]:
        """The file, and the folders above it."""
        return (names.path(self.path), *names.under(self.path))

    def asks(self) -> tuple[Ask[object], ...]:
        """What is in the file."""
        return (CONTENTS(self.path),)

    def wanted(self) -> Fields:
        """The line."""
        return {"line": self.text}

    def found(self, facts: Facts) -> Fields | None:
        """All the lines in whose place it comes."""
        content = facts[CONTENTS(self.path)] or b""
        lines = content.decode(errors="surrogateescape").split("\n")
        chosen = self._chosen
        mine = [each for each in lines if each and self._is_mine(each, chosen)]
        text = "\n".join(mine)
        return {"line": Secret(text) if isinstance(self.text, Secret) else text} if mine else None

    def actions(self) -> tuple[Node, ...]:
        """Put it in its place, or remove it."""
        chosen = self._chosen
        if not self.absent:
            return (put_line(self.path, self.text, instead_of=chosen, mode=self.mode),)
        texts = [self.text] if self._revealed else []
        return (remove_lines(self.path, *([chosen] if chosen else []), *texts),)

    def _is_mine(self, line: str, chosen: Lines | None) -> bool:
        return line == self._revealed or (chosen is not None and chosen.match(line))

    @property
    def _revealed(self) -> str:
        return self.text.reveal() if isinstance(self.text, Secret) else self.text

    @property
    def _chosen(self) -> Lines | None:
        if isinstance(self.instead_of, Lines):
            return self.instead_of
        return starting(self.instead_of) if self.instead_of else None
