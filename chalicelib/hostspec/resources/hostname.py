"""The host's name: in its file, in the running kernel, and in /etc/hosts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from chalicelib.hostspec.facts import Ask, Fact, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.hostspec.resources.edits import put_line, remove_lines, with_field
from chalicelib.shell import (
    Node,
    any_of,
    command,
    exists,
    not_,
    print_lines,
    q,
    redirect,
    script,
    when,
    write_to,
)
from chalicelib.transport.files import place_script

__all__ = ["Hostname"]

_FILE = "/etc/hostname"
_HOSTS = "/etc/hosts"
_ADDRESS = "127.0.1.1"
_KERNEL = "/proc/sys/kernel/hostname"
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_NAMELESS = "localhost"
"""As systemd calls a host without a name (hostname(5))."""
_LONGEST = 64
"""As the kernel's; a DNS name may be longer."""
_SHOW = '$1 == "127.0.1.1" { $1 = "hosts"; print; exit }'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """The host's name by where it stands."""

    file: str
    running: str
    hosts: str


def _gather(_: tuple[str, ...]) -> Node:
    return script(
        command("awk", '{ print "running", $0 }', _KERNEL),
        command("awk", 'NF && !/^#/ { print "file", $1; exit }', _FILE),
        command("awk", _SHOW, _HOSTS),
    )


def _read(said: bytes, subjects: tuple[str, ...]) -> Mapping[str, _Names]:
    found = {"running": "", "file": "", "hosts": ""}
    for line in said.decode(errors="replace").splitlines():
        place, _, name = line.partition(" ")
        if place in found:
            found[place] = name
    return dict.fromkeys(subjects, _Names(**found))


_HOSTNAME = Fact(name="hostname", gather=_gather, read=_read)
"""The host's names. No subject."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostname(Resource):
    """The host's name. One without a name (`absent`) is called localhost.

    Attributes:
        hostname: lower case, up to 64 characters: a name (`web-1`) or one with its domain
            (`web-1.example.com`), which then is in /etc/hosts with its short form as well.

    Other lines of /etc/hosts stay as they are.
    """

    kind: ClassVar[str] = "hostname"

    hostname: str

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        good = _NAME.fullmatch(self.hostname) and len(self.hostname) <= _LONGEST
        check(self, good, f"hostname: {self.hostname!r} is no name of a host")

    @property
    def subject(self) -> str:
        """A host has only one."""
        return "of the host"

    def asks(self) -> tuple[Ask[object], ...]:
        """The names that it has."""
        return (_HOSTNAME(),)

    def wanted(self) -> Fields:
        """The name, where it stands."""
        return {"file": self.hostname, "running": self.hostname, _ADDRESS: self._known_as}

    def found(self, facts: Facts) -> Fields | None:
        """The same as it is."""
        there = facts[_HOSTNAME()]
        if not there.file and not there.hosts and there.running in {"", _NAMELESS}:
            return None
        return {"file": there.file, "running": there.running, _ADDRESS: there.hosts}

    def actions(self) -> tuple[Node, ...]:
        """Name it in /etc/hosts first, so that sudo always finds it; then in the file, then now."""
        ours = with_field(1, _ADDRESS)
        if self.absent:
            return (
                remove_lines(_HOSTS, ours),
                q("rm -f {file}", file=_FILE),
                _call_it(_NAMELESS),
            )
        return (
            when(
                not_(exists(_HOSTS)), redirect(print_lines("127.0.0.1 localhost"), write_to(_HOSTS))
            ),
            put_line(_HOSTS, f"{_ADDRESS} {self._known_as}", instead_of=ours),
            place_script(_FILE, content=print_lines(self.hostname), mode=0o644, owner="root:root"),
            _call_it(self.hostname),
        )

    @property
    def _known_as(self) -> str:
        short = self.hostname.partition(".")[0]
        return self.hostname if short == self.hostname else f"{self.hostname} {short}"


def _call_it(name: str) -> Node:
    """Return the command that names the running host."""
    named = redirect(print_lines(name), write_to(_KERNEL))
    return any_of(q("hostname {name}", name=name), named)
