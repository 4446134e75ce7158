"""A command at certain times, by cron: one file in /etc/cron.d for each."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from chalicelib.hostspec import names
from chalicelib.hostspec.resource import check, named
from chalicelib.hostspec.resources.file import File
from chalicelib.hostspec.resources.one_file import OneFile
from chalicelib.shell import Item, Secret, explain, q, render

__all__ = ["Cron"]

_NAME = re.compile(r"[A-Za-z0-9_-]+")
"""Debian's cron reads no other files; see run-parts(8)."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STEP = re.compile(r"(\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?")
_RANGES = {
    "minute": (0, 59),
    "hour": (0, 23),
    "day": (1, 31),
    "month": (1, 12),
    "weekday": (0, 7),
}
_FOLDER = "/etc/cron.d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron(OneFile):
    """A command that cron(8) runs. The times are as in crontab(5), in numbers.

    Attributes:
        id: of letters, digits, `_` and `-`; it names the file.
        run: the command; one line without backslashes, which crontab(5) reads in its own way.
        minute: such as `*/5`, `0,30` or `10-20`. Default: `*`, each.
        hour: as minute. Default: `*`.
        day: of the month. Default: `*`.
        month: 1 to 12. Default: `*`.
        weekday: 0 and 7 are Sunday. Default: `*`.
        user: who runs it. Default: root.
        environment: variables of the command, such as `MAILTO`; without a PATH there it has
            /usr/bin and /bin. With a secret there only root can read the file.
    """

    kind: ClassVar[str] = "cron"

    id: str
    run: Item = ()
    minute: str = "*"
    hour: str = "*"
    day: str = "*"
    month: str = "*"
    weekday: str = "*"
    user: str = "root"
    environment: Mapping[str, str | Secret] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check(self, _NAME.fullmatch(self.id), f"id: {self.id!r} is no name")
        named(self, self.user, "user")
        for place, (least, most) in _RANGES.items():
            given = str(getattr(self, place))
            good = all(_is_time(each, least, most) for each in given.split(","))
            check(self, good, f"{place}: {given!r} is no time from {least} to {most}")
        line = render(q(self.run))
        plain = "\n" not in line and "\\" not in line
        check(self, plain and (line != ":" or self.absent), "run: one line without a backslash")
        check(self, explain(q(self.run)) == line, "run: a process list would show the secret")
        for name, value in self.environment.items():
            shown = value.reveal() if isinstance(value, Secret) else value
            good = bool(_VARIABLE.fullmatch(name)) and not set(shown) & set("\n\"'\\\0")
            check(self, good, f"environment: {name} is no variable, or has a quote in it")

    @property
    def subject(self) -> str:
        """Its id."""
        return self.id

    @property
    def provides(self) -> tuple[str, ...]:
        """Its file."""
        return self.file.provides

    @property
    def wants(self) -> tuple[str, ...]:
        """Cron, and who runs it."""
        return (
            *self.file.wants,
            names.user(self.user),
            names.package("cron"),
            names.package("cronie"),
        )

    @property
    def file(self) -> File:
        """Its file."""
        path = f"{_FOLDER}/{self.id}"
        shown = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in self.environment.items()
        }
        variables = [f'{name}="{value}"\n' for name, value in shown.items()]
        # What follows a bare % would be the command's input.
        line = render(q(self.run)).replace("%", "\\%")
        times = " ".join(str(getattr(self, each)) for each in _RANGES)
        text = "".join([*variables, f"{times} {self.user} {line}\n"])
        hidden = any(isinstance(each, Secret) for each in self.environment.values())
        return File(
            path=path,
            content=Secret(text) if hidden else text,
            mode=0o600 if hidden else 0o644,
            absent=self.absent,
        )


def _is_time(text: str, least: int, most: int) -> bool:
    match = _STEP.fullmatch(text)
    if match is None:
        return False
    numbers = [int(each) for each in match.group(2, 3) if each]
    step = match[4] is None or int(match[4]) > 0
    return step and numbers == sorted(numbers) and all(least <= each <= most for each in numbers)
