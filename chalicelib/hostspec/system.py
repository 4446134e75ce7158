"""Which system a host runs: the fact that every plan asks first."""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.hostspec.facts import Fact
from chalicelib.shell import Node, command, is_directory, is_readable, println, q, script, when

__all__ = ["DEBIAN", "SYSTEM", "System"]

_FAMILIES = {
    "debian": "debian",
    "ubuntu": "debian",
    "rhel": "redhat",
    "fedora": "redhat",
    "centos": "redhat",
    "amzn": "redhat",
    "alpine": "alpine",
}
"""By `ID` or `ID_LIKE` of os-release(5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A host's operating system.

    Attributes:
        family: `debian`, `redhat` or `alpine`; or the system's own id where it is none of these.
        id: `ID` of os-release(5), such as `ubuntu`.
        version: `VERSION_ID` there, such as `12`; empty where it has none.
        codename: `VERSION_CODENAME` there, such as `bookworm`; or empty.
        machine: as `uname -m`, such as `x86_64`.
        kernel: as `uname -r`.
        systemd: systemd is process 1.
    """

    family: str
    id: str
    version: str = ""
    codename: str = ""
    machine: str = "x86_64"
    kernel: str = ""
    systemd: bool = True

    @property
    def facts(self) -> frozenset[str]:
        """What script functions choose by."""
        return frozenset({self.family, self.id, self.machine, *(["systemd"] * self.systemd)})


DEBIAN = System(family="debian", id="debian", version="12", codename="bookworm")
"""What is rendered for where no host can be asked."""


def _gather(_: tuple[str, ...]) -> Node:
    release = "/etc/os-release"
    return script(
        when(is_readable(release), command("cat", release)),
        q("uname -mr"),
        when(is_directory("/run/systemd/system"), println("systemd")),
    )


def _read(said: bytes, subjects: tuple[str, ...]) -> Mapping[str, System]:
    release: dict[str, str] = {}
    plain: list[str] = []
    for line in said.decode(errors="replace").splitlines():
        name, equals, value = line.partition("=")
        if equals:
            release[name] = value.strip("\"'")
        elif line:
            plain.append(line)
    kernel, _, machine = (plain[0] if plain else "").partition(" ")
    own = release.get("ID", "unknown")
    likes = [own, *release.get("ID_LIKE", "").split()]
    system = System(
        family=next((_FAMILIES[like] for like in likes if like in _FAMILIES), own),
        id=own,
        version=release.get("VERSION_ID", ""),
        codename=release.get("VERSION_CODENAME", ""),
        machine=machine,
        kernel=kernel,
        systemd="systemd" in plain[1:],
    )
    return dict.fromkeys(subjects, system)


SYSTEM = Fact(name="system", gather=_gather, read=_read)
