"""A parameter of the kernel: now, and after a boot."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from chalicelib.hostspec.facts import Ask, Fact, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.hostspec.resources.file import File
from chalicelib.shell import (
    Node,
    command,
    duplicate,
    equal,
    exit_,
    is_file,
    output,
    println,
    q,
    redirect,
    unless,
    when,
    write_to,
)

__all__ = ["Sysctl"]

_FOLDER = "/etc/sysctl.d"
_TREE = "/proc/sys/"
_KEY = re.compile(r"[A-Za-z0-9_@:-]+([./][A-Za-z0-9_@:-]+)+")
_PLAIN = re.compile(r"[A-Za-z0-9_@:/-]+")
_ON_ONE_LINE = "{ $1 = $1; print }"


def _gather(paths: tuple[str, ...]) -> Node:
    return command("grep", "-sH", "", "--", paths)


def _read(said: bytes, paths: tuple[str, ...]) -> Mapping[str, str]:
    found: dict[str, str] = dict.fromkeys(paths, "")
    for path in paths:
        lines = re.findall(
            rf"^{re.escape(path)}:(.*)$", said.decode(errors="replace"), re.MULTILINE
        )
        found[path] = " ".join(" ".join(lines).split())
    return found


_VALUES = Fact(name="sysctls", gather=_gather, read=_read)
"""What a file of /proc/sys says, with single blanks; empty where it cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sysctl(Resource):
    """A parameter in a file of its own in /etc/sysctl.d, and in the running kernel.

    No other parameter is set, and no other file touched; this file is read after all others.
    `absent` removes the file: the kernel keeps the value until the next boot, as nobody knows the
    one it had before.

    Attributes:
        key: such as `net.ipv4.ip_forward`; with slashes instead of dots where a part has a dot:
            `net/ipv4/conf/eth0.1/rp_filter`.
        value: one or several words, as `sysctl -n` says them.
    """

    kind: ClassVar[str] = "sysctl"

    key: str
    value: str | int = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check(self, _KEY.fullmatch(self.key), f"key: {self.key!r} is no parameter")
        plain = _PLAIN.fullmatch(self._words.replace(" ", "").replace(".", "").replace(",", ""))
        check(self, self.absent or plain, f"value: {self.value!r} is no value")

    @property
    def subject(self) -> str:
        """The key; with dots, if no part of it has one."""
        path = self._path.removeprefix(_TREE)
        return path if "." in path else path.replace("/", ".")

    @property
    def provides(self) -> tuple[str, ...]:
        """Its file."""
        return self._file.provides

    @property
    def wants(self) -> tuple[str, ...]:
        """What is above its file."""
        return self._file.wants

    def asks(self) -> tuple[Ask[object], ...]:
        """What is in its file, and what the kernel says."""
        return (*self._file.asks(), _VALUES(self._path))

    def wanted(self) -> Fields:
        """The file, and the running value."""
        return {**self._file.wanted(), "running": self._words}

    def found(self, facts: Facts) -> Fields | None:
        """The same as it is; where it is to be absent, the file alone."""
        file = self._file.found(facts)
        if file is None or self.absent:
            return file
        return {**file, "running": facts[_VALUES(self._path)]}

    def actions(self) -> tuple[Node, ...]:
        """Write the file, then set the value, and see that the kernel took it; or remove it."""
        value = output(command("awk", _ON_ONE_LINE, self._path))
        if self.absent:
            told = println(f"{self.subject} keeps its value until the next boot:", value)
            return (when(is_file(self._path), told), *self._file.actions())
        refused = redirect(println(f"{self.subject} is", value), duplicate(1, 2))
        return (
            q("mkdir -p {folder}", folder=_FOLDER),
            *self._file.actions(),
            redirect(println(self._words), write_to(self._path)),
            unless(equal(value, self._words), refused, exit_(1)),
        )

    @property
    def _words(self) -> str:
        return " ".join(str(self.value).split(" "))

    @property
    def _path(self) -> str:
        """The parameter's file; sysctl.d(5): the first separator says what the others mean."""
        swapped = self.key.translate(str.maketrans("./", "/."))
        dotted = "." in self.key.partition("/")[0]
        return posixpath.join(_TREE, swapped if dotted else self.key)

    @property
    def _file(self) -> File:
        path = f"{_FOLDER}/zz-berth-{self.subject.replace('/', ',')}.conf"
        return File(path=path, content=f"{self.subject} = {self._words}\n", absent=self.absent)
