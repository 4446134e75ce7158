"""A package repository and the key that its lists are signed with.

apt's lists are brought up to date by the next `Packages`, which sees that the repository is newer
(see `apt`); dnf and apk look by themselves. Packages that come from it say so in their `needs`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource, check, named
from chalicelib.hostspec.resources.path_facts import CONTENTS
from chalicelib.hostspec.resources.rpm_keys import forget_key
from chalicelib.hostspec.system import SYSTEM
from chalicelib.shell import (
    Node,
    all_of,
    command,
    env,
    exists,
    if_,
    print_text,
    q,
    script_function,
)
from chalicelib.transport.files import place_script

__all__ = ["Repository"]

_URL = re.compile(r"(https?|file|ftp):[A-Za-z0-9/._~%+@:$-]+")
_WORD = re.compile(r"[A-Za-z0-9./][A-Za-z0-9._/+-]*")
_PGP = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\n[\x20-\x7e\n]+-----END PGP PUBLIC KEY BLOCK-----\n?"
)
_RSA = re.compile(r"-----BEGIN PUBLIC KEY-----\n[A-Za-z0-9+/=\n]+-----END PUBLIC KEY-----\n?")
_APK_LIST = "/etc/apk/repositories"
_EDIT = """
$0 == ENVIRON["berth_mark"] { skip = 1; next }
skip { skip = 0; next }
{ print }
END { if (ENVIRON["berth_line"] != "") print ENVIRON["berth_mark"] "\\n" ENVIRON["berth_line"] }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository(Resource):
    """A repository of the host's package system.

    Attributes:
        repository: names its files.
        url: where it is.
        key: what its lists (for dnf its packages) are signed with: an armored PGP key for apt and
            dnf, an RSA key in PEM for apk. One that it had before is no longer trusted. Default:
            nothing is signed, which has to be said by `unsigned`.
        unsigned: take what comes from it unchecked. apk cannot: from such a one it takes what is
            signed with a key that the host has otherwise.
        suites: for apt, such as `bookworm`; `./` for a flat one. Default: `./`.
        components: for apt, such as `main`; a flat repository has none.
        architectures: for apt; the host's own by default.
        key_name: for apk: the file name of the key, which the signatures name. Default: the name
            and `.rsa.pub`.
    """

    kind: ClassVar[str] = "repository"

    repository: str
    url: str = ""
    key: str = ""
    unsigned: bool = False
    suites: tuple[str, ...] = ("./",)
    components: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    key_name: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        named(self, self.repository, "repository")
        named(self, self._key_name, "key_name")
        if self.absent:
            return
        check(self, _URL.fullmatch(self.url), f"url: {self.url!r} is no plain URL")
        check(self, bool(self.key) != self.unsigned, "either it has a key or it is unsigned")
        good = not self.key or _PGP.fullmatch(self.key) or _RSA.fullmatch(self.key)
        check(self, good, "key: that is no armored key")
        for each in (*self.suites, *self.components, *self.architectures):
            check(self, _WORD.fullmatch(each), f"{each!r} is no plain word")
        flat = all(each.endswith("/") for each in self.suites)
        check(self, self.suites and flat != bool(self.components), "components: not of a flat one")

    @property
    def subject(self) -> str:
        """Its name."""
        return self.repository

    @property
    def provides(self) -> tuple[str, ...]:
        """Its files, on each system."""
        own = [path for family in _FILES for path in self._files(family) if path != _APK_LIST]
        return tuple(names.path(path) for path in own)

    def asks(self) -> tuple[Ask[object], ...]:
        """Its files on each system."""
        paths = sorted({path for family in _FILES for path in _FILES[family](self)})
        return (SYSTEM(), *map(CONTENTS, paths))

    def wanted(self) -> Fields:
        """Where it is, and that its files say just what is wanted."""
        return {"url": self.url, "definition": "as wanted", "key": "as wanted"}

    def found(self, facts: Facts) -> Fields | None:
        """The same of what is there."""
        family = facts[SYSTEM()].family
        if family not in _FILES:
            return None
        states = []
        for path, text in self._files(family).items():
            content = facts[CONTENTS(path)]
            said = None if content is None else content.decode(errors="replace")
            states.append(self._state(path, said, text))
        definition, key = (*states, "as wanted")[:2]
        if definition == "missing" and (key == "missing" or not self.absent or not self.key):
            return None
        url = self.url if definition == "as wanted" else "another"
        return {"url": url, "definition": definition, "key": key}

    def _state(self, path: str, said: str | None, text: str) -> str:
        if path == _APK_LIST:
            lines = (said or "").splitlines()
            at = lines.index(self._mark) + 1 if self._mark in lines else 0
            found = "".join(f"{line}\n" for line in lines[at : at + 1]) if at else None
            said, text = found, f"{self.url}\n"
        if said is None:
            return "missing"
        return "as wanted" if said == text else "another"

    def actions(self) -> tuple[Node, ...]:
        """Put the key in place, then the repository; or remove both, the repository first."""
        return (_remove(self),) if self.absent else (_place(self),)

    def _files(self, family: str) -> Mapping[str, str]:
        """Return the definition and then the key, by path."""
        return _FILES[family](self)

    @property
    def _mark(self) -> str:
        return f"# {self.repository}, by a host spec:"

    @property
    def _key_name(self) -> str:
        return self.key_name or f"{self.repository}.rsa.pub"


def _apt_files(each: Repository) -> dict[str, str]:
    key = f"/etc/apt/keyrings/{each.repository}.asc"
    fields = {
        "Types": "deb",
        "URIs": each.url,
        "Suites": " ".join(each.suites),
        "Components": " ".join(each.components),
        "Architectures": " ".join(each.architectures),
        "Signed-By": key if each.key else "",
        "Trusted": "yes" if each.unsigned else "",
    }
    text = "".join(f"{name}: {value}\n" for name, value in fields.items() if value)
    return _with_key(each, f"/etc/apt/sources.list.d/{each.repository}.sources", text, key)


def _dnf_files(each: Repository) -> dict[str, str]:
    key = f"/etc/pki/rpm-gpg/{each.repository}.asc"
    lines = [f"[{each.repository}]", f"name={each.repository}", f"baseurl={each.url}", "enabled=1"]
    lines += [f"gpgcheck={int(bool(each.key))}"]
    lines += [f"gpgkey=file://{key}"] if each.key else []
    text = "".join(f"{line}\n" for line in lines)
    return _with_key(each, f"/etc/yum.repos.d/{each.repository}.repo", text, key)


def _apk_files(each: Repository) -> dict[str, str]:
    return _with_key(each, _APK_LIST, each.url, f"/etc/apk/keys/{each._key_name}")  # noqa: SLF001


def _with_key(each: Repository, path: str, text: str, key: str) -> dict[str, str]:
    return {path: text, **({key: each.key} if each.key or each.absent else {})}


_FILES = {"debian": _apt_files, "redhat": _dnf_files, "alpine": _apk_files}


def _placed(family: str, each: Repository) -> Node:
    steps: list[Node] = []
    for path, text in reversed(_FILES[family](each).items()):
        folder = path.rpartition("/")[0]
        content = _edited(each, each.url) if path == _APK_LIST else print_text(text)
        if family == "redhat" and text == each.key:
            steps.append(forget_key(path, unless_it_is=text))
        steps += [
            q("mkdir -p {folder}", folder=folder),
            place_script(path, content=content, mode=0o644, owner="root:root"),
        ]
    return all_of(*steps)


def _removed(family: str, each: Repository) -> Node:
    own = [path for path in _FILES[family](each) if path != _APK_LIST]
    gone = command("rm", "-f", "--", own)
    if family == "redhat":
        return all_of(forget_key(own[-1]), gone)
    if family != "alpine":
        return gone
    kept = place_script(_APK_LIST, content=_edited(each, ""), mode=0o644, owner="root:root")
    return all_of(kept, gone)


def _edited(each: Repository, line: str) -> Node:
    """Print apk's list with the line of the repository, or without it. Other lines stay."""
    mark = each._mark  # noqa: SLF001
    edited, made = (
        env(command("awk", _EDIT, path), berth_mark=mark, berth_line=line)
        for path in (_APK_LIST, "/dev/null")
    )
    return if_(exists(_APK_LIST), edited, else_=[made])


_place = script_function(
    "add_repository",
    {
        "debian": lambda each: _placed("debian", each),
        "redhat": lambda each: _placed("redhat", each),
        "alpine": lambda each: _placed("alpine", each),
    },
)
_remove = script_function(
    "remove_repository",
    {
        "debian": lambda each: _removed("debian", each),
        "redhat": lambda each: _removed("redhat", each),
        "alpine": lambda each: _removed("alpine", each),
    },
)
