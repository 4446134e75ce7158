"""An option in a section of a file such as /etc/systemd/journald.conf or a `.ini`."""

from dataclasses import dataclass
from typing import ClassVar

from chalicelib.errors import ShellError, SpecError
from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource
from chalicelib.hostspec.resources.edits import put_option, remove_option
from chalicelib.hostspec.resources.path_facts import CONTENTS, check_path
from chalicelib.shell import Node, Secret

__all__ = ["IniSetting", "option_values"]

_BLANKS = " \t\r"


@dataclass(frozen=True, slots=True, kw_only=True)
class IniSetting(Resource):
    """An option that a section has once, in a file of up to 64 KiB.

    Comments, other options and how they are written stay. `absent` removes the option and leaves
    the section.

    Attributes:
        path: of the file, absolute. A missing file is made.
        section: its name, without brackets; empty for what comes before all sections.
        option: its name; upper and lower case differ.
        value: one line; or a `Secret`.
        between: what is written between option and value. Default: ` = `.
        mode: permission bits of a file that is made. Default: 0644.
    """

    kind: ClassVar[str] = "ini setting"

    path: str
    section: str = ""
    option: str
    value: str | Secret = ""
    between: str = " = "
    mode: int = 0o644

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_path(self, self.path)
        try:
            self.actions()
        except ShellError as error:
            raise SpecError(reason=f"{self.name}: {error}") from error

    @property
    def subject(self) -> str:
        """The path, section and option."""
        return f"{self.path} [{self.section}] {self.option}"

    @property
    def wants(self) -> tuple[str, ...]:
        """The file, and the folders above it."""
        return (names.path(self.path), *names.under(self.path))

    def asks(self) -> tuple[Ask[object], ...]:
        """What is in the file."""
        return (CONTENTS(self.path),)

    def wanted(self) -> Fields:
        """The value."""
        return {"value": self.value}

    def found(self, facts: Facts) -> Fields | None:
        """All values that the option has."""
        content = facts[CONTENTS(self.path)] or b""
        text = content.decode(errors="surrogateescape")
        values = option_values(text, section=self.section, option=self.option)
        value = "\n".join(values)
        return (
            {"value": Secret(value) if isinstance(self.value, Secret) else value}
            if values
            else None
        )

    def actions(self) -> tuple[Node, ...]:
        """Set or remove it."""
        if self.absent:
            return (remove_option(self.path, section=self.section, option=self.option),)
        return (
            put_option(
                self.path,
                section=self.section,
                option=self.option,
                value=self.value,
                between=self.between,
                mode=self.mode,
            ),
        )


def option_values(text: str, *, section: str, option: str) -> tuple[str, ...]:
    r"""Return the values of an option in a section, as the programs of `edits` find them.

    >>> option_values("[a]\nx = 1\n# x = 2\n[b]\nx=3", section="b", option="x")
    ('3',)
    """
    inside = section == ""
    found = []
    for line in text.split("\n"):
        plain = line.strip(_BLANKS)
        if plain.startswith("[") and plain.endswith("]") and len(plain) > 1:
            inside = section != "" and plain[1:-1] == section
        elif inside and plain[:1] not in {"#", ";"}:
            name, equals, value = plain.partition("=")
            if equals and name.strip(_BLANKS) == option:
                found.append(value.strip(_BLANKS))
    return tuple(found)
