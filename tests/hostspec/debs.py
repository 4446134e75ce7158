"""Tiny Debian packages and a repository of them, made here and put on a machine."""

import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chalicelib.shell import command
from chalicelib.transport import Transport

__all__ = ["FOLDER", "Deb", "put_repository", "repository"]

FOLDER = "/srv/debs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """A package: its files by path, settings among them below /etc, and its scripts by name."""

    name: str
    version: str
    depends: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)

    @property
    def filename(self) -> str:
        """Where it is in the repository."""
        return f"./{self.name}_{self.version}_all.deb"

    @property
    def control(self) -> str:
        """The fields that say what it is."""
        depends = f"Depends: {self.depends}\n" if self.depends else ""
        return (
            f"Package: {self.name}\nVersion: {self.version}\nArchitecture: all\n{depends}"
            "Maintainer: nobody <nobody@example.com>\nDescription: of a test\n"
        )

    @property
    def content(self) -> bytes:
        """The file."""
        settings = "".join(f"{path}\n" for path in self.files if path.startswith("/etc/"))
        control = {"./control": self.control, **{f"./{k}": v for k, v in self.scripts.items()}}
        if settings:
            control["./conffiles"] = settings
        members = {
            "debian-binary": b"2.0\n",
            "control.tar.gz": _tar(control, mode=0o755),
            "data.tar.gz": _tar({f".{path}": text for path, text in self.files.items()}),
        }
        return b"!<arch>\n" + b"".join(_member(*each) for each in members.items())


def _tar(files: Mapping[str, str], *, mode: int = 0o644) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text.encode()), mode
            archive.addfile(member, io.BytesIO(text.encode()))
    return made.getvalue()


def _member(name: str, content: bytes) -> bytes:
    head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
    return head + content + b"\n" * (len(content) % 2)


def repository(debs: Sequence[Deb]) -> dict[str, bytes]:
    """Return the files of a flat repository by name: packages, list and release, unsigned."""
    stanzas = [
        f"{each.control}Filename: {each.filename}\nSize: {len(each.content)}\n"
        f"SHA256: {hashlib.sha256(each.content).hexdigest()}\n"
        for each in debs
    ]
    listed = "\n".join(stanzas).encode()
    digest = hashlib.sha256(listed).hexdigest()
    release = (
        "Origin: test\nLabel: test\nSuite: test\nDate: Thu, 01 Jan 2026 00:00:00 UTC\n"
        f"SHA256:\n {digest} {len(listed)} Packages\n"
    )
    return {
        **{each.filename: each.content for each in debs},
        "Packages": listed,
        "Release": release.encode(),
    }


def put_repository(machine: Transport, debs: Sequence[Deb], folder: str = FOLDER) -> None:
    """Put a repository on a machine."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in repository(debs).items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    machine.run(command("rm", "-rf", folder))
    machine.run(command("mkdir", "-p", folder))
    machine.run(command("tar", "-xf", "-", "-C", folder), stdin=made.getvalue())
