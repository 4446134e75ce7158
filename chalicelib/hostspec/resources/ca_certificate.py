"""A certificate authority that the host's programs trust."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Fact, Facts
from chalicelib.hostspec.resource import Fields, Resource, check, named
from chalicelib.hostspec.resources.certificates import (
    body_of,
    check_pem,
    fingerprint,
    plain_pem,
)
from chalicelib.hostspec.resources.path_facts import DIGESTS
from chalicelib.hostspec.system import SYSTEM
from chalicelib.shell import Node, command, env, pipe, print_text, q, script_function
from chalicelib.transport.files import place_script

__all__ = ["CaCertificate"]

_FOLDERS = {
    "debian": "/usr/local/share/ca-certificates",
    "redhat": "/etc/pki/ca-trust/source/anchors",
    "alpine": "/usr/local/share/ca-certificates",
}
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
)
_FIND = """
BEGIN { count = split(ENVIRON["berth_wanted"], wanted, " ") }
/^-----BEGIN/ { body = ""; next }
/^-----END/ { for (at = 1; at <= count; at++) if (body == wanted[at]) print at; next }
{ sub(/[ \\r]+$/, ""); body = body $0 }
"""


def _gather(bodies: tuple[str, ...]) -> Node:
    found = env(command("awk", _FIND), berth_wanted=" ".join(bodies))
    return pipe(command("cat", "--", _BUNDLES), found)


def _read(said: bytes, bodies: tuple[str, ...]) -> Mapping[str, bool]:
    numbers = set(said.decode(errors="replace").split())
    return {body: str(number) in numbers for number, body in enumerate(bodies, 1)}


_TRUSTED = Fact(name="trusted", gather=_gather, read=_read)
"""Whether a certificate, as base64 without line ends, is among those that programs trust."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaCertificate(Resource):
    """A certificate authority, trusted by all programs that use the system's list.

    Attributes:
        id: names its file, with or without `.crt`.
        pem: the certificate, just one. Text around it is left out.

    Programs with a list of their own (Java, browsers) do not see it. Programs that run already keep
    the list that they have read.
    """

    kind: ClassVar[str] = "CA certificate"

    id: str
    pem: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        named(self, self.id, "id")
        if not self.absent:
            check(self, self.pem, "pem: none is given")
            check_pem(self, self.pem)

    @property
    def subject(self) -> str:
        """Its id."""
        return self.id.removesuffix(".crt")

    @property
    def provides(self) -> tuple[str, ...]:
        """Its file, on each system."""
        return tuple(sorted({names.path(self._path(family)) for family in _FOLDERS}))

    @property
    def wants(self) -> tuple[str, ...]:
        """The program that makes the list."""
        return (names.package("ca-certificates"),)

    def asks(self) -> tuple[Ask[object], ...]:
        """Its file on each system, and whether programs see it."""
        files = [DIGESTS(self._path(family)) for family in sorted(_FOLDERS)]
        trusted = [] if self.absent else [_TRUSTED(body_of(self.pem))]
        return (SYSTEM(), *files, *trusted)

    def wanted(self) -> Fields:
        """Which one it is, and that programs see it."""
        return {"sha256": fingerprint(self.pem) if self.pem else "", "trusted": "yes"}

    def found(self, facts: Facts) -> Fields | None:
        """The same as it is."""
        family = facts[SYSTEM()].family
        digest = facts[DIGESTS(self._path(family))] if family in _FOLDERS else ""
        if not digest:
            return None
        if self.absent:
            return {"certificate": "there"}
        same = digest == hashlib.sha256(plain_pem(self.pem).encode()).hexdigest()
        return {
            "sha256": fingerprint(self.pem) if same else "another",
            "trusted": "yes" if facts[_TRUSTED(body_of(self.pem))] else "no",
        }

    def actions(self) -> tuple[Node, ...]:
        """Put its file in place, or remove it; then make the list anew."""
        if self.absent:
            return (_remove(self.subject), _update())
        return (_place(self.subject, plain_pem(self.pem)), _update())

    def _path(self, family: str) -> str:
        return _place_of(family, self.subject)


def _place_of(family: str, name: str) -> str:
    return f"{_FOLDERS[family]}/{name}.crt"


def _placed(family: str, name: str, pem: str) -> Node:
    path = _place_of(family, name)
    return place_script(path, content=print_text(pem), mode=0o644, owner="root:root")


_place = script_function(
    "trust",
    {
        "debian": lambda name, pem: _placed("debian", name, pem),
        "redhat": lambda name, pem: _placed("redhat", name, pem),
        "alpine": lambda name, pem: _placed("alpine", name, pem),
    },
)
_remove = script_function(
    "distrust",
    {
        "debian": lambda name: q("rm -f {path}", path=_place_of("debian", name)),
        "redhat": lambda name: q("rm -f {path}", path=_place_of("redhat", name)),
        "alpine": lambda name: q("rm -f {path}", path=_place_of("alpine", name)),
    },
)
_update = script_function(
    "make_list_of_trusted",
    {
        "debian": lambda: q("update-ca-certificates"),
        "redhat": lambda: q("update-ca-trust extract"),
        "alpine": lambda: q("update-ca-certificates"),
    },
)
