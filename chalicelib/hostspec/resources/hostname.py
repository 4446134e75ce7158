"""The host's name: in its file, in the running kernel, and in /etc/hosts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from chalicelib.hostspec.facts import Ask, Fact, Facts
from chalicelib.hostspec.resource import Fields, Resource, check
from chalicelib.shell import (
    Node,
    all_of,
    any_of,
    command,
    env,
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
_LONGEST = 64
"""As the kernel's; a DNS name may be longer."""
_SHOW = '$1 == "127.0.1.1" { $1 = "hosts"; print; exit }'
_EDIT = """
$1 == "127.0.1.1" { if (!done) print ENVIRON["berth_line"]; done = 1; next }
{ print }
END { if (!done) print ENVIRON["berth_line"] }
"""
"""Replaces the first line of the address, drops others of it, adds one where there is none."""


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
    """The host's name. There is one: it cannot be absent.

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
        check(self, not self.absent, "a host always has one")

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
        return {"file": there.file, "running": there.running, _ADDRESS: there.hosts}

    def actions(self) -> tuple[Node, ...]:
        """Name it in /etc/hosts first, so that sudo always finds it; then in the file, then now."""
        changed = env(command("awk", _EDIT, _HOSTS), berth_line=f"{_ADDRESS} {self._known_as}")
        part = f"{_HOSTS}.berth"
        # In a container that a runtime gave its /etc/hosts, the file is a mount: not to be renamed.
        placed = any_of(
            redirect(
                q("mv -f {part} {hosts}", part=part, hosts=_HOSTS), write_to("/dev/null", fd=2)
            ),
            all_of(
                redirect(q("cat {part}", part=part), write_to(_HOSTS)),
                q("rm -f {part}", part=part),
            ),
        )
        return (
            when(
                not_(exists(_HOSTS)), redirect(print_lines("127.0.0.1 localhost"), write_to(_HOSTS))
            ),
            q("cp -p {hosts} {part}", hosts=_HOSTS, part=part),
            redirect(changed, write_to(part)),
            placed,
            place_script(_FILE, content=print_lines(self.hostname), mode=0o644, owner="root:root"),
            any_of(
                q("hostname {name}", name=self.hostname),
                redirect(print_lines(self.hostname), write_to(_KERNEL)),
            ),
        )

    @property
    def _known_as(self) -> str:
        short = self.hostname.partition(".")[0]
        return self.hostname if short == self.hostname else f"{self.hostname} {short}"
