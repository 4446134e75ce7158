"""A service's TLS certificate and key: given, or signed by itself and made on the host.

The key never leaves the host: whether it belongs to the certificate is told by its public half.
"""

import ipaddress
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

from chalicelib.hostspec import names as names_of
from chalicelib.hostspec.facts import Ask, Fact, Facts
from chalicelib.hostspec.resource import Fields, Resource, check, named
from chalicelib.hostspec.resources.certificates import check_pem, fingerprint
from chalicelib.hostspec.resources.path_facts import DIGESTS, PATHS, check_path
from chalicelib.shell import (
    Node,
    Secret,
    all_of,
    command,
    equal,
    is_not_empty,
    not_,
    output,
    pipe,
    print_text,
    println,
    q,
    redirect,
    script,
    when,
    write_to,
)
from chalicelib.transport.files import place_script

__all__ = ["TlsCertificate"]

_DAY_S = 24 * 60 * 60
_CERTIFICATE_MODE = 0o644
_DNS = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_NO_WARNING = write_to("/dev/null")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """What is known of a certificate and its key."""

    sha256: str = ""
    expires: str = ""
    names: str = ""
    lasts: bool = False
    key_fits: bool = False


def _x509(path: str, *words: object) -> Node:
    return command("openssl", "x509", "-in", path, "-noout", words)


def _fits(path: str, key: str) -> Node:
    """The key is the certificate's: their public halves are one."""
    public = output(_x509(path, "-pubkey"))
    return all_of(
        is_not_empty(public),
        equal(public, output(command("openssl", "pkey", "-in", key, "-pubout"))),
    )


def _lasts(path: str, days: object) -> Node:
    return redirect(_x509(path, "-checkend", int(str(days)) * _DAY_S), _NO_WARNING)


def _gather(subjects: tuple[str, ...]) -> Node:
    parts = []
    for number, subject in enumerate(subjects):
        path, key, days = subject.split("|")
        parts += [
            println("certificate", number),
            _x509(path, "-fingerprint", "-sha256", "-enddate", "-ext", "subjectAltName"),
            when(_lasts(path, days), println("lasts")),
            when(_fits(path, key), println("fits")),
        ]
    return script(*parts)


def _read(said: bytes, subjects: tuple[str, ...]) -> Mapping[str, _Pair]:
    found: dict[str, _Pair] = {subject: _Pair() for subject in subjects}
    text = said.decode(errors="replace")
    for part in re.split(r"^certificate (?=[0-9]{1,6}$)", text, flags=re.MULTILINE)[1:]:
        number, *lines = part.splitlines()
        if int(number) < len(subjects):
            found[subjects[int(number)]] = _pair(lines)
    return found


def _pair(lines: list[str]) -> _Pair:
    values = dict(line.partition("=")[::2] for line in lines)
    printed = next((value for name, value in values.items() if "ingerprint" in name), "")
    alternative = [line.strip() for line in lines if line.startswith("    ")]
    return _Pair(
        sha256=printed.replace(":", "").lower(),
        expires=values.get("notAfter", ""),
        names=alternative[0] if alternative else "",
        lasts="lasts" in lines,
        key_fits="fits" in lines,
    )


_PAIRS = Fact(name="tls", gather=_gather, read=_read)
"""What is known of the pair whose paths, and the days it should last, are joined by `|`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsCertificate(Resource):
    """A certificate and its key, in two files.

    Attributes:
        path: the certificate's file.
        key_path: the key's file.
        pem: the certificate, further ones of its chain after it. Default: one is made on the host.
        key: its private key in PEM. Given with `pem`.
        names: of the one that is made: domains or IPv4 addresses, the first of them its subject.
        days: how long the one that is made is good. Default: 365.
        renew_days: it is made anew when it is good for less than that. Default: 30.
        owner: of both files. Default: root.
        group: of both files. Default: root.
        key_mode: permission bits of the key. Default: 0600.
    """

    kind: ClassVar[str] = "TLS certificate"

    path: str
    key_path: str
    pem: str = ""
    key: Secret | None = None
    names: tuple[str, ...] = ()
    days: int = 365
    renew_days: int = 30
    owner: str = "root"
    group: str = "root"
    key_mode: int = 0o600

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for field, path in (("path", self.path), ("key_path", self.key_path)):
            check_path(self, path, field)
            check(self, "|" not in path, f"{field}: {path!r}")
        check(self, self.path != self.key_path, "key_path: the certificate is there")
        named(self, self.owner, "owner")
        named(self, self.group, "group")
        if self.absent:
            return
        check(self, bool(self.pem) == (self.key is not None), "a certificate comes with its key")
        check(self, bool(self.pem) != bool(self.names), "either it is given or it has names")
        check(self, 0 <= self.renew_days < self.days, "renew_days: less than days")
        for each in self.names:
            check(self, _DNS.fullmatch(each), f"names: {each!r} is no domain or IPv4 address")
        if self.pem:
            check_pem(self, self.pem.partition("-----END CERTIFICATE-----")[0] + _END)

    @property
    def subject(self) -> str:
        """The certificate's path."""
        return self.path

    @property
    def provides(self) -> tuple[str, ...]:
        """Both files."""
        return (names_of.path(self.path), names_of.path(self.key_path))

    @property
    def wants(self) -> tuple[str, ...]:
        """The folders above, whose it is, and openssl."""
        above = (*names_of.under(self.path), *names_of.under(self.key_path))
        own = (names_of.user(self.owner), names_of.group(self.group))
        return (*above, *own, names_of.package("openssl"))

    def asks(self) -> tuple[Ask[object], ...]:
        """What both files hold, and whose they are."""
        files = (PATHS(self.path), PATHS(self.key_path))
        return (*files, self._ask, *([DIGESTS(self.path)] if self.pem else []))

    @property
    def _ask(self) -> Ask[_Pair]:
        return _PAIRS(f"{self.path}|{self.key_path}|{0 if self.pem else self.renew_days}")

    def wanted(self) -> Fields:
        """Which one it is, or its names and that it lasts; that the key fits; and whose they are."""
        one = {"sha256": fingerprint(self.pem), "chain": "as given"}
        if not self.pem:
            one = {"names": self._alternative, "good for": f"{self.renew_days} days or more"}
        owner = f"{self.owner}:{self.group}"
        return {
            **one,
            "key": "fits",
            "file": f"{_CERTIFICATE_MODE:04o} {owner}",
            "key file": f"{self.key_mode:04o} {owner}",
        }

    def found(self, facts: Facts) -> Fields | None:
        """The same of what is there; of a key only whether it fits."""
        files = {"file": facts[PATHS(self.path)], "key file": facts[PATHS(self.key_path)]}
        if not any(files.values()):
            return None
        pair = facts[self._ask]
        shown = {
            field: f"{each.mode} {each.owner}:{each.group}" if each else "missing"
            for field, each in files.items()
        }
        if self.absent:
            return {"sha256": pair.sha256, "expires": pair.expires, **shown}
        lasts = f"{self.renew_days} days or more" if pair.lasts else f"until {pair.expires}"
        same = self.pem and facts[DIGESTS(self.path)] == sha256(self.pem.encode()).hexdigest()
        known = {
            "sha256": pair.sha256,
            "chain": "as given" if same else "another",
            "names": pair.names,
            "good for": lasts,
            "key": "fits" if pair.key_fits else "does not fit",
            **shown,
        }
        return {field: known[field] for field in self.wanted()}

    def actions(self) -> tuple[Node, ...]:
        """Put both in place, or make them unless they are good; or remove them."""
        if self.absent:
            return (command("rm", "-f", "--", self.path, self.key_path),)
        if self.key is not None:
            owner = f"{self.owner}:{self.group}"
            key, certificate = print_text(self.key), print_text(self.pem)
            return (
                place_script(self.key_path, content=key, mode=self.key_mode, owner=owner),
                place_script(self.path, content=certificate, mode=_CERTIFICATE_MODE, owner=owner),
            )
        return (when(not_(self._is_good()), self._make()), self._make_owned())

    def _is_good(self) -> Node:
        printed = pipe(_x509(self.path, "-ext", "subjectAltName"), "tail -n 1")
        return all_of(
            _lasts(self.path, self.renew_days),
            _fits(self.path, self.key_path),
            equal(output(printed), f"    {self._alternative}"),
        )

    def _make(self) -> Node:
        """Return the making of both beside their places; openssl makes a key for its owner alone."""
        path, key = f"{self.path}.berth", f"{self.key_path}.berth"
        options = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        alternative = ",".join(f"{kind}:{name}" for kind, name in map(_kind, self.names))
        made = command(
            ["openssl", "req", options, "-days", self.days, "-subj", f"/CN={self.names[0]}"],
            ["-addext", f"subjectAltName={alternative}", "-keyout", key, "-out", path],
        )
        return all_of(
            command("rm", "-f", "--", path, key),
            made,
            q("mv -f {part} {path}", part=key, path=self.key_path),
            q("mv -f {part} {path}", part=path, path=self.path),
        )

    def _make_owned(self) -> Node:
        owner = f"{self.owner}:{self.group}"
        return all_of(
            command("chown", owner, self.path, self.key_path),
            command("chmod", f"{self.key_mode:o}", self.key_path),
            command("chmod", f"{_CERTIFICATE_MODE:o}", self.path),
        )

    @property
    def _alternative(self) -> str:
        """The names as openssl prints them."""
        kinds = {"IP": "IP Address", "DNS": "DNS"}
        return ", ".join(f"{kinds[kind]}:{name}" for kind, name in map(_kind, self.names))


_END = "-----END CERTIFICATE-----"


def _kind(name: str) -> tuple[str, str]:
    with suppress(ValueError):
        return "IP", str(ipaddress.IPv4Address(name))
    return "DNS", name
