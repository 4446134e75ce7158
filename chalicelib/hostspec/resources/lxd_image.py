"""An image of an LXD, by its fingerprint: from a file on the host, or fetched over HTTPS."""

import re
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote, urlencode

from chalicelib.hostspec import names
from chalicelib.hostspec.facts import Ask, Facts
from chalicelib.hostspec.resource import Fields, Resource, check, named
from chalicelib.hostspec.resources.file import fetch
from chalicelib.hostspec.resources.lxd_facts import LXD
from chalicelib.hostspec.resources.lxd_object import lxd_has, lxd_query
from chalicelib.hostspec.resources.path_facts import check_path
from chalicelib.shell import (
    Node,
    Secret,
    all_of,
    assign,
    command,
    equal,
    exit_,
    group,
    last_status,
    not_,
    output,
    pipe,
    q,
    q_or,
    redirect,
    ref,
    script,
    when,
    write_to,
)

__all__ = ["LxdImage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LxdImage(Resource):
    """An image under an alias.

    Attributes:
        alias: its name. An alias that leads to another image is changed; that image stays.
        fingerprint: SHA-256 of the image's one archive, in hexadecimal. LXD names it so, and what
            has another is refused.
        source: an absolute path on the host, or an `https://` URL; a `Secret` if that is signed.
        project: of LXD. Default: `default`.

    `absent` removes the alias and its image.
    """

    kind: ClassVar[str] = "lxd image"

    alias: str
    fingerprint: str = ""
    source: str | Secret = ""
    project: str = "default"

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        named(self, self.alias, "alias")
        named(self, self.project, "project")
        if self.absent:
            return
        right = re.fullmatch(r"[0-9a-f]{64}", self.fingerprint)
        check(self, right, "fingerprint: 64 hexadecimal digits")
        if isinstance(self.source, str) and not self.source.startswith("https://"):
            check_path(self, self.source, "source")

    @property
    def subject(self) -> str:
        """Project and alias."""
        return f"{self.project}/{self.alias}"

    @property
    def provides(self) -> tuple[str, ...]:
        """The image."""
        return (names.lxd("images", self.subject),)

    @property
    def wants(self) -> tuple[str, ...]:
        """LXD, its project, and the file."""
        lxd = (names.lxd("server", ""), names.lxd("projects", self.project))
        return (*lxd, names.path(str(self.source)))

    def _path(self, *parts: str) -> str:
        place = "/".join(["/1.0/images", *(quote(part, safe="") for part in parts)])
        return f"{place}?{urlencode({'project': self.project})}"

    def asks(self) -> tuple[Ask[object], ...]:
        """Where the alias leads."""
        return (LXD(self._path("aliases", self.alias)),)

    def wanted(self) -> Fields:
        """Where the alias leads."""
        return {"fingerprint": self.fingerprint}

    def found(self, facts: Facts) -> Fields | None:
        """Where it leads now."""
        there = facts[LXD(self._path("aliases", self.alias))]
        return None if there is None else {"fingerprint": str(there.get("target", ""))}

    def actions(self) -> tuple[Node, ...]:
        """Import it unless it is there, then point the alias at it; or remove both."""
        alias, image = self._path("aliases", self.alias), self._path(self.fingerprint)
        if self.absent:
            remove = command("lxc", "image", "delete", self.alias, "--project", self.project)
            return (when(lxd_has(alias), remove),)
        target = {"name": self.alias, "target": self.fingerprint}
        made = lxd_query("POST", self._path("aliases"), target)
        return (
            when(not_(lxd_has(image)), self._import()),
            when(lxd_has(alias), lxd_query("DELETE", alias)),
            made,
        )

    def _import(self) -> Node:
        """Return the import of the archive; a fetched one is put beside LXD's own and removed."""
        archive = ref("archive")
        right = equal(
            output(pipe(q("sha256sum -- {a}", a=archive), "cut -c 1-64")), self.fingerprint
        )
        brought = command("lxc", "image", "import", archive, "--project", self.project)
        if isinstance(self.source, str) and self.source.startswith("/"):
            return script(assign("archive", self.source), q_or(all_of(right, brought), exit_(1)))
        fetched = redirect(fetch(self.source), write_to(archive))
        ended = group(assign("status", last_status()), q("rm -f {a}", a=archive))
        return script(
            q_or(assign("archive", output("mktemp /var/tmp/berth-image.XXXXXX")), exit_()),
            all_of(fetched, right, brought),
            ended,
            q_or(equal(ref("status"), 0), exit_(ref("status"))),
        )
