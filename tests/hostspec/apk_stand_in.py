#!/usr/bin/env python3
"""Stands in for apk-tools where no Alpine can be had: its files, commands and statuses, no payload.

Put on a machine as /sbin/apk. Each rule is from the manual or the source of apk-tools: apk(8),
apk-add(8), apk-info(8), apk-world(5), apk-keys(5), apk-v2(5), `src/app_del.c`, `src/app_info.c`.
What it does not know it refuses. It depends on Python's own modules and on openssl only.
"""

import argparse
import fcntl
import io
import re
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path
from typing import TextIO

_WORLD = Path("/etc/apk/world")
_INSTALLED = Path("/lib/apk/db/installed")
_REPOSITORIES = Path("/etc/apk/repositories")
_KEYS = Path("/etc/apk/keys")

Package = dict[str, str]


def _say(*words: str, to: TextIO = sys.stdout) -> None:
    to.write(" ".join(words) + "\n")


def _order(version: str) -> list[int]:
    return [int(each) for each in re.findall("[0-9]+", version)]


def _records(text: str) -> list[Package]:
    """`X:value` by line, packages parted by an empty one: APKINDEX and the installed database."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    return [dict(line.split(":", 1) for line in each.strip().splitlines()) for each in blocks]


def _trusted(signature: bytes, signed: bytes) -> bool:
    """A `.SIGN.RSA.<file in /etc/apk/keys>` counts, RSA over SHA-1 of what follows (apk-v2(5))."""
    with tarfile.open(fileobj=io.BytesIO(signature)) as archive:
        member = archive.getmembers()[0]
        file = archive.extractfile(member)
        key = _KEYS / member.name.removeprefix(".SIGN.RSA.")
        if file is None or not key.is_file():
            return False
        Path("/run/apk-signature").write_bytes(file.read())
    words = ["openssl", "dgst", "-sha1", "-verify", str(key), "-signature", "/run/apk-signature"]
    return subprocess.run(words, input=signed, capture_output=True, check=False).returncode == 0


def _index() -> list[Package]:
    """Return what all repositories offer; one whose list is not signed by a trusted key is left out."""
    found = []
    lines = _REPOSITORIES.read_text().splitlines() if _REPOSITORIES.exists() else []
    for url in (line for line in lines if line and not line.startswith("#")):
        path = Path(url.removeprefix("file://")) / "x86_64/APKINDEX.tar.gz"
        if not path.exists():
            _say(f"WARNING: opening {url}: No such file or directory", to=sys.stderr)
            continue
        first = zlib.decompressobj(31)
        signature = first.decompress(path.read_bytes())
        if not _trusted(signature, first.unused_data):
            _say(f"WARNING: opening {url}: UNTRUSTED signature", to=sys.stderr)
            continue
        with tarfile.open(fileobj=io.BytesIO(first.unused_data)) as archive:
            file = archive.extractfile("APKINDEX")
            found += _records(file.read().decode() if file else "")
    return found


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _solve(world: dict[str, str], installed: list[Package], index: list[Package]) -> list[Package]:
    """Return what the world needs. What is installed stays where it satisfies (apk-add(8))."""
    chosen: dict[str, Package] = {}
    left = [(name, "world") for name in world]
    while left:
        name, by = left.pop()
        version = world.get(name, "")
        fitting = [each for each in installed if each["P"] == name and version in ("", each["V"])]
        newest = sorted(index, key=lambda each: _order(each["V"]), reverse=True)
        fitting += [each for each in newest if each["P"] == name and version in ("", each["V"])]
        if not fitting:
            _say(f"ERROR: unable to select packages:\n  {name}: required by: {by}")
            sys.exit(1)
        if name not in chosen:
            chosen[name] = fitting[0]
            left += [(each, name) for each in fitting[0].get("D", "").split()]
    return sorted(chosen.values(), key=lambda each: each["P"])


def _commit(world: dict[str, str], index: list[Package]) -> list[Package]:
    """Solve, then write the world and what is installed; nothing is written where it has no answer."""
    found = _solve(world, _records(_read(_INSTALLED)), index)
    lines = sorted(f"{name}={version}" if version else name for name, version in world.items())
    _WORLD.write_text("".join(f"{line}\n" for line in lines))
    text = ["".join(f"{key}:{value}\n" for key, value in each.items()) for each in found]
    _INSTALLED.write_text("\n".join(text))
    return found


def _info(names: list[str], *, verbose: bool) -> int:
    """Print those that are installed; the status counts the others (`info_exists`)."""
    there = {each["P"]: each["V"] for each in _records(_read(_INSTALLED))}
    for name in (each for each in names if each in there):
        _say(f"{name}-{there[name]}" if verbose else name)
    return sum(name not in there for name in names)


def _del(names: list[str], world: dict[str, str], index: list[Package]) -> int:
    """Take names out of the world. One that nothing has heard of ends it before that (`del_main`).

    What others need stays: that is said, and the status is 0 all the same.
    """
    known = {each["P"] for each in [*index, *_records(_read(_INSTALLED))]} | set(world)
    unknown = [name for name in names if name not in known]
    for name in unknown:
        _say(f"ERROR: No such package: {name}", to=sys.stderr)
    if unknown:
        return len(unknown)
    left = _commit({name: each for name, each in world.items() if name not in names}, index)
    stay = [each["P"] for each in left if each["P"] in names]
    if stay:
        _say("World updated, but the following packages are not removed due to:", *stay)
    return 0


def main() -> int:
    """Do one command."""
    parser = argparse.ArgumentParser(prog="apk", allow_abbrev=False)
    parser.add_argument("command", choices=["add", "del", "fix", "info"])
    parser.add_argument("names", nargs="*")
    for option in ("--no-progress", "--update-cache", "--purge", "-e"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("--quiet", "-q", action="store_true")
    parser.add_argument("--verbose", "-v", action="store_true")
    parser.add_argument("--wait", type=int)
    told = parser.parse_intermixed_args()
    if told.command == "info":
        return _info(told.names, verbose=told.verbose)
    _INSTALLED.parent.mkdir(parents=True, exist_ok=True)
    with (_INSTALLED.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        world = dict((line + "=").split("=")[:2] for line in _read(_WORLD).split())
        index = _index()
        if told.command == "del":
            return _del(told.names, world, index)
        # A name has one line in the world: the last that was said of it counts.
        _commit(world | dict((each + "=").split("=")[:2] for each in told.names), index)
    return 0


if __name__ == "__main__":
    sys.exit(main())
