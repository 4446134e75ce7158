"""What is at paths of a host: kinds, modes and owners, digests, small contents, links' targets."""

import io
import posixpath
import re
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from chalicelib.hostspec.facts import Fact
from chalicelib.hostspec.resource import Resource, check
from chalicelib.shell import Node, command, for_each, println, q_or, ref

__all__ = [
    "CONTENTS",
    "CONTENT_LIMIT_BYTES",
    "DIGESTS",
    "PATHS",
    "TARGETS",
    "PathState",
    "check_path",
]

CONTENT_LIMIT_BYTES = 64 * 1024
"""What is larger is compared by its digest and not shown."""
_BLOCK_BYTES = 512
_KINDS = {
    "regular file": "file",
    "regular empty file": "file",
    "directory": "directory",
    "symbolic link": "link",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PathState:
    """What is at a path, links not followed.

    Attributes:
        kind: `file`, `directory`, `link`, or what stat(1) calls it.
        mode: permission bits in octal, such as `0644`.
        owner: the user's name.
        group: the group's name.
    """

    kind: str
    mode: str
    owner: str
    group: str


def check_path(resource: Resource, path: str, field: str = "path") -> None:
    """Refuse a path that is not absolute and plain.

    Raises:
        SpecError: names the resource, the field and the path.
    """
    plain = path == posixpath.normpath(path) and path[:1] == "/" != path[1:2] and "\\" not in path
    check(resource, plain and path.isprintable(), f"{field}: {path!r} is no plain absolute path")


def _gather_paths(paths: tuple[str, ...]) -> Node:
    return command("stat", "-c", "%F|%a|%U|%G|%n", "--", paths)


def _read_paths(said: bytes, paths: tuple[str, ...]) -> Mapping[str, PathState | None]:
    found: dict[str, PathState | None] = dict.fromkeys(paths)
    for line in said.decode(errors="replace").splitlines():
        match line.split("|", 4):
            case [kind, mode, owner, group, path] if path in found:
                found[path] = PathState(
                    kind=_KINDS.get(kind, kind), mode=mode.zfill(4), owner=owner, group=group
                )
    return found


PATHS = Fact(name="paths", gather=_gather_paths, read=_read_paths)
"""What is at a path, or None."""


def _gather_digests(paths: tuple[str, ...]) -> Node:
    return command("sha256sum", "--", paths)


def _read_digests(said: bytes, paths: tuple[str, ...]) -> Mapping[str, str]:
    lines = re.findall(r"^([0-9a-f]{64})  (.*)$", said.decode(errors="replace"), re.MULTILINE)
    found = {path: digest for digest, path in lines}
    return {path: found.get(path, "") for path in paths}


DIGESTS = Fact(name="digests", gather=_gather_digests, read=_read_digests)
"""SHA-256 of a file's content, in hexadecimal; empty where there is no file."""


def _gather_contents(paths: tuple[str, ...]) -> Node:
    # One tar of what is small: one process for all files, and no content can be taken for another's.
    small = f"-{CONTENT_LIMIT_BYTES // _BLOCK_BYTES + 1}"
    return command(
        "find", paths, "-maxdepth", 0, "-type", "f", "-size", small,
        "-exec", "tar", "-cf", "-", "{}", "+",
    )  # fmt: skip


def _read_contents(said: bytes, paths: tuple[str, ...]) -> Mapping[str, bytes | None]:
    found: dict[str, bytes | None] = dict.fromkeys(paths)
    # Nothing is there, or tar was cut short: what is missing is shown by its digest.
    with suppress(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(said), mode="r:") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if content is not None and f"/{member.name}" in found:
                found[f"/{member.name}"] = content.read()
    return found


CONTENTS = Fact(name="contents", gather=_gather_contents, read=_read_contents)
"""A file's content, or None where there is no file or it is larger than 64 KiB."""


def _gather_targets(paths: tuple[str, ...]) -> Node:
    target = command("readlink", ref("path"))
    return for_each("path", paths, q_or(target, println("")))


def _read_targets(said: bytes, paths: tuple[str, ...]) -> Mapping[str, str]:
    return dict(zip(paths, said.decode(errors="replace").split("\n"), strict=False))


TARGETS = Fact(name="targets", gather=_gather_targets, read=_read_targets)
"""Where a symbolic link leads; empty where there is none."""
