"""Which packages a host has, in which versions, and which are held: one query for all of them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chalicelib.hostspec.facts import Fact
from chalicelib.shell import Node, command, pipe, script

__all__ = ["PACKAGES", "VERSIONLOCK", "PackageState"]

VERSIONLOCK = "/etc/dnf/plugins/versionlock.list"
"""Where dnf's plugin keeps what is held: `name-epoch:version-release.*`."""
_DPKG = "dpkg|${Package}|${Architecture}|${Version}|${db:Status-Abbrev}|\\n"
_RPM = "rpm|%{NAME}|%{ARCH}|%{EVR}|\\n"
_LOCKED = re.compile(r"(?P<name>.+)-[^-]+-[^-]+")
_APK = re.compile(r"(?P<name>.+?)-(?P<version>[0-9][^-]*-r[0-9]+)")
_PINNED = re.compile(r"(?P<name>[^=<>~@!]+)=")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageState:
    """What a host has of a package.

    Attributes:
        state: `installed`; `half installed`, after an install that was cut short or failed; or
            `settings`, where it was removed and its settings stayed.
        version: as its system writes it; with the epoch, where there is one.
        held: no upgrade touches it.
    """

    state: str
    version: str
    held: bool = False

    def is_version(self, wanted: str) -> bool:
        """It has that version, which may be written without its epoch."""
        return wanted in {self.version, self.version.partition(":")[2]}


def _gather(names: tuple[str, ...]) -> Node:
    # A host may have more than one of these programs; only the system says which one counts.
    return script(
        command("dpkg-query", "-W", "-f", _DPKG, "--", names),
        command("rpm", "-q", "--qf", _RPM, "--", names),
        command("awk", '!/^#/ { print "lock|" $0 "|" }', VERSIONLOCK),
        pipe(
            command("apk", "info", "-e", "-v", names),
            command("awk", '{ print "apk|" $0 "|" }'),
        ),
        command("awk", '{ print "world|" $0 "|" }', "/etc/apk/world"),
    )


def _read(said: bytes, names: tuple[str, ...]) -> Mapping[str, Mapping[str, PackageState]]:
    lines = [line.split("|") for line in said.decode(errors="replace").splitlines()]
    found: dict[str, dict[str, PackageState]] = {name: {} for name in names}
    held = {
        "redhat": set(_first(lines, "lock", _LOCKED)),
        "alpine": set(_first(lines, "world", _PINNED)),
    }
    for line in lines:
        for family, each, name in _states(line):
            known = found.get(name)
            # Of several architectures or versions the one that is whole counts.
            if known is None or (family in known and known[family].state == "installed"):
                continue
            is_held = each.held or name in held.get(family, ())
            known[family] = PackageState(state=each.state, version=each.version, held=is_held)
    return found


def _first(lines: list[list[str]], kind: str, pattern: re.Pattern[str]) -> Iterator[str]:
    for line in lines:
        match = pattern.match(line[1]) if line[0] == kind and len(line) > 1 else None
        if match:
            yield match["name"]


def _states(line: list[str]) -> Iterator[tuple[str, PackageState, str]]:
    match line:
        case ["dpkg", name, architecture, version, status, ""]:
            state = _dpkg_state(status)
            if state:
                each = PackageState(state=state, version=version, held=status.startswith("h"))
                yield from (("debian", each, key) for key in (name, f"{name}:{architecture}"))
        case ["rpm", name, architecture, version, ""]:
            each = PackageState(state="installed", version=version)
            yield from (("redhat", each, key) for key in (name, f"{name}.{architecture}"))
        case ["apk", text, ""]:
            match_ = _APK.fullmatch(text)
            if match_:
                each = PackageState(state="installed", version=match_["version"])
                yield "alpine", each, match_["name"]
        case _:
            pass


def _dpkg_state(status: str) -> str:
    """Return the state by the letters of `dpkg -l`: wanted, status, error."""
    match status[1:3].strip():
        case "i":
            return "installed"
        case "n" | "":
            return ""
        case "c":
            return "settings"
        case _:
            return "half installed"


PACKAGES = Fact(name="packages", gather=_gather, read=_read)
"""By family of systems (`debian`, `redhat`, `alpine`), what a host has of a package; or nothing."""
