"""What the LXD of a host has, by its REST API: one process asks for all of it.

`lxc` takes some 50 ms for each question, curl 5 ms for all (measured on LXD 5.0.2, 2026-11-26).
"""

import json
from collections.abc import Mapping
from typing import Any

from chalicelib.hostspec.facts import Fact
from chalicelib.shell import Node, break_, command, exists, for_each, ref, when

__all__ = ["LXD", "LXD_SOCKETS"]

LXD_SOCKETS = ("/var/snap/lxd/common/lxd/unix.socket", "/var/lib/lxd/unix.socket")
"""Of the snap and of Debian's package."""


def _gather(paths: tuple[str, ...]) -> Node:
    places = [f"http://lxd{path}" for path in paths]
    socket = ref("socket")
    options = ("--silent", "--globoff", "--max-time", 30, "--write-out", "\\n")
    asked = command("curl", *options, "--unix-socket", socket, "--", *places)
    return for_each("socket", LXD_SOCKETS, when(exists(socket), asked, break_()))


def _read(said: bytes, paths: tuple[str, ...]) -> Mapping[str, Mapping[str, Any] | None]:
    lines = filter(None, said.decode(errors="replace").splitlines())
    answers = dict(zip(paths, map(_metadata, lines), strict=False))
    return {path: answers.get(path) for path in paths}


def _metadata(line: str) -> Mapping[str, Any] | None:
    try:
        answer = json.loads(line)
    except ValueError:
        return None
    found = answer.get("metadata") if isinstance(answer, dict) else None
    return found if isinstance(found, dict) and answer.get("type") == "sync" else None


LXD = Fact(name="lxd", gather=_gather, read=_read)
"""What is at a path of the API, such as `/1.0/networks/lxdbr0`; None where there is nothing."""
