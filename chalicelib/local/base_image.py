"""Makes the base image's archive with debootstrap, once per recipe.

The archive holds `metadata.yaml` and `rootfs/`, as LXD imports them. It is kept, so that another
stack or a test needs no second debootstrap. A half-made one is never taken for whole: it is made in
a folder of its own and put in place by renaming.
"""

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from chalicelib.errors import CommandFailedError, LocalStackError
from chalicelib.local import rootfs
from chalicelib.local.packages import find_program
from chalicelib.local.progress import Progress
from chalicelib.shell import command
from chalicelib.transport import LocalTransport

__all__ = ["archive", "extra_certificates", "recipe"]

SUITE = "bookworm"
_VERSION = 1
"""Part of the recipe: raise it when code here, and not data in `rootfs`, changes the image."""
_CERTIFICATES = Path("/usr/local/share/ca-certificates")
_APT = Path("/etc/apt")
_TAIL_LINES = 12
_BUILD = "build-"


def extra_certificates() -> dict[str, str]:
    """Return the CA certificates that were added to this machine, by file name, as PEM.

    A machine behind a proxy that opens TLS has one; without it nothing in a container reaches the
    package registries.
    """
    found = sorted(_CERTIFICATES.glob("**/*.crt"))
    return {path.name: path.read_text(errors="replace") for path in found}


def recipe(certificates: Mapping[str, str]) -> str:
    """Return a hash of all that decides what is in the image."""
    files = {path: [spec.text, spec.mode] for path, spec in rootfs.FILES.items()}
    parts = [
        _VERSION,
        SUITE,
        rootfs.PACKAGES,
        rootfs.USER,
        rootfs.MASKED,
        rootfs.REMOVED,
        rootfs.UNWANTED,
        files,
        dict(certificates),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def archive(folder: Path, progress: Progress, *, certificates: Mapping[str, str]) -> Path:
    """Return the image's archive in `folder`, made unless it is there.

    Safe to repeat, to interrupt and to run twice at once: the second waits for the first.

    Raises:
        LocalStackError: debootstrap failed; with its last words.
    """
    wanted = folder / f"base-{recipe(certificates)}.tar"
    with _alone(folder):
        for leftover in folder.glob(f"{_BUILD}*"):
            _remove_tree(leftover)
        if not wanted.exists():
            build = Path(tempfile.mkdtemp(prefix=_BUILD, dir=folder))
            try:
                _build(build, progress, certificates)
                (build / "image.tar").rename(wanted)
            finally:
                _remove_tree(build)
            for old in set(folder.glob("base-*.tar")) - {wanted}:
                old.unlink()
    return wanted


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(build: Path, progress: Progress, certificates: Mapping[str, str]) -> None:
    root = build / "rootfs"
    build.chmod(0o755)
    with progress.step("making the base image with debootstrap (about a minute)"):
        debootstrap = [
            find_program("debootstrap") or "debootstrap",
            "--variant=minbase",
            f"--include={','.join(rootfs.PACKAGES)}",
            SUITE,
            str(root),
            *_mirror(),
        ]
        _run(debootstrap, progress)
        rootfs.finish(root, certificates)
    metadata = {
        "architecture": platform.machine(),
        "creation_date": int(root.stat().st_mtime),  # LXD refuses 0
        "properties": {"os": "debian", "release": SUITE, "description": "Berth's base image"},
    }
    (build / "metadata.yaml").write_text(json.dumps(metadata))  # JSON is YAML
    with progress.step("packing the base image"):
        tar = [find_program("tar") or "tar", "--create", "--numeric-owner", "--sort=name"]
        names = ["metadata.yaml", "rootfs"]
        _run([*tar, f"--file={build / 'image.tar'}", f"--directory={build}", *names], progress)


def _mirror() -> list[str]:
    """Return the mirror that this machine's apt uses for the suite; none for debootstrap's own."""
    files = [_APT / "sources.list", *sorted((_APT / "sources.list.d").glob("*"))]
    for path in files:
        text = path.read_text(errors="replace") if path.is_file() else ""
        for place, suites in _sources(text):
            if SUITE in suites:
                return [place]
    return []


def _sources(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield (URI, suites) of each binary source, in either of apt's two formats."""
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[[^]]*\]\s+)?(?P<place>\S+)\s+(?P<suite>\S+)", line)
        if match:
            yield match["place"], [match["suite"]]
    for stanza in re.split(r"\n\s*\n", text):
        rows = (line.partition(":") for line in stanza.splitlines() if not line.startswith("#"))
        fields = {name.strip().lower(): value.split() for name, _, value in rows}
        if "deb" in fields.get("types", []) and fields.get("uris"):
            yield fields["uris"][0], fields.get("suites", [])


def _run(words: list[str], progress: Progress) -> None:
    machine = LocalTransport(environment=os.environ)  # a proxy's settings are in it
    tail: list[str] = []
    try:
        with machine.stream(command(*words)) as running:
            for _, line in running.lines():
                tail = [*tail, line.rstrip()][-_TAIL_LINES:]
                progress.detail(line.removeprefix("I: "))
            running.result()
    except CommandFailedError as error:
        raise LocalStackError(
            reason="\n  ".join([f"{Path(words[0]).name} failed:", *tail]),
            cure="check the network and the room on the disk, then run the same command again",
        ) from error


def _remove_tree(folder: Path) -> None:
    """Remove a build folder with what an interrupted debootstrap left mounted in it."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    machine = LocalTransport()
    for mount in reversed([path for path in mounts if Path(path).is_relative_to(folder)]):
        machine.run(command("umount", "--lazy", mount), check=False)
    shutil.rmtree(folder)
