"""Makes images' archives with debootstrap and their host specs, once per recipe.

An archive holds `metadata.yaml` and `rootfs/`, as LXD imports them. It is kept, so that another
stack, a test or an image that begins from it needs no second debootstrap. A half-made one is never
taken for whole: it is made in a folder of its own and put in place by renaming.

The same recipe on the same state of the package archive gives the same bytes: files are in order,
and none is younger than the recipe's date.
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
from chalicelib.hostspec import Part, Spec
from chalicelib.hostspec.resources import CaCertificate
from chalicelib.hostspec.system import System
from chalicelib.hostspec.userdata import bake_script
from chalicelib.images import Image, find_image
from chalicelib.local.packages import find_program
from chalicelib.local.progress import Progress
from chalicelib.shell import Node, chosen, command, render
from chalicelib.transport import LocalTransport
from chalicelib.transport.in_root import InRoot

__all__ = ["archive", "extra_certificates", "recipe"]

SUITE = "bookworm"
_VERSION = 2
"""Part of the recipe: raise it when code here, and not a spec, changes the image."""
_SYSTEM = System(family="debian", id="debian", version="12", codename=SUITE, systemd=False)
"""No service is started while an image is made."""
_DATE_S = 1_767_225_600
"""2026-01-01 in seconds since 1970: what is younger is given this date, so that the day of a build
is not in its bytes. Programs that know SOURCE_DATE_EPOCH (reproducible-builds.org) write it too."""
_BEFORE_APT = ("ca-certificates",)
"""For mirrors that are reached over HTTPS."""
_CERTIFICATES = Path("/usr/local/share/ca-certificates")
_APT = Path("/etc/apt")
_TAIL_LINES = 12
_BUILD = "build-"
_LIMIT_S = 3600.0
_NO_SERVICES = "#!/bin/sh\nexit 101\n"
"""What invoke-rc.d(8) asks before it starts anything: no."""


def extra_certificates() -> dict[str, str]:
    """Return the CA certificates that were added to this machine, by file name, as PEM.

    A machine behind a proxy that opens TLS has one; without it nothing in a container reaches the
    package registries.
    """
    found = sorted(_CERTIFICATES.glob("**/*.crt"))
    return {path.name: path.read_text(errors="replace") for path in found}


def recipe(name: str, certificates: Mapping[str, str]) -> str:
    """Return a hash of all that decides what is in an image, its parents' included.

    Raises:
        NotFoundError: there is no such image.
    """
    image = find_image(name)
    before = recipe(image.parent, certificates) if image.parent else SUITE
    script = render(_making(image, certificates))
    parts = [_VERSION, before, script, _DATE_S, image.description]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def archive(
    name: str, folder: Path, progress: Progress, *, certificates: Mapping[str, str]
) -> Path:
    """Return an image's archive in `folder`, made unless it is there, and its parents before.

    Safe to repeat, to interrupt and to run twice at once: the second waits for the first.

    Raises:
        NotFoundError: there is no such image.
        LocalStackError: it could not be made; with the last words of what failed.
    """
    image = find_image(name)
    wanted = folder / f"{name}-{recipe(name, certificates)}.tar"
    with _alone(folder):
        for leftover in folder.glob(f"{_BUILD}*"):
            _remove_tree(leftover)
    if wanted.exists():
        return wanted
    parent = None
    if image.parent:
        parent = archive(image.parent, folder, progress, certificates=certificates)
    with _alone(folder):
        if not wanted.exists():
            build = Path(tempfile.mkdtemp(prefix=_BUILD, dir=folder))
            try:
                _build(name, build, progress, certificates=certificates, parent=parent)
                (build / "image.tar").rename(wanted)
            finally:
                _remove_tree(build)
        for old in set(folder.glob(f"{name}-*.tar")) - {wanted}:
            old.unlink()
    return wanted


def _making(image: Image, certificates: Mapping[str, str]) -> Node:
    """Return the script that makes a fresh root into the image's. Certificates come first."""
    trusted: list[Part] = []
    if image.parent is None:
        pems = (pem for _, pem in sorted(certificates.items()))
        trusted = [CaCertificate(id=f"extra-{number}", pem=pem) for number, pem in enumerate(pems)]
    spec = Spec(trusted, image.spec)
    baked = bake_script(spec, _SYSTEM, emptied=image.emptied, removed=image.files)
    return chosen(baked, _SYSTEM.facts)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(
    name: str,
    build: Path,
    progress: Progress,
    *,
    certificates: Mapping[str, str],
    parent: Path | None,
) -> None:
    root, image = build / "rootfs", find_image(name)
    build.chmod(0o755)
    if parent is None:
        with progress.step("making an empty Debian with debootstrap (half a minute)"):
            included = f"--include={','.join(_BEFORE_APT)}"
            _run(
                ["debootstrap", "--variant=minbase", included, SUITE, str(root), *_mirror()],
                progress,
            )
    else:
        with progress.step(f"unpacking {parent.name}"):
            _run(["tar", "--extract", f"--file={parent}", f"--directory={build}"], progress)
    with progress.step(f"making the image {name} of it"):
        _bake(root, image, certificates, progress)
    metadata = {
        "architecture": platform.machine(),
        "creation_date": 1,  # LXD refuses 0
        "properties": {"os": "debian", "release": SUITE, "description": image.description},
    }
    (build / "metadata.yaml").write_text(json.dumps(metadata))  # JSON is YAML
    with progress.step(f"packing the image {name}"):
        order = ["--sort=name", "--numeric-owner", f"--mtime=@{_DATE_S}", "--clamp-mtime"]
        names = ["metadata.yaml", "rootfs"]
        _run(
            [
                "tar",
                "--create",
                *order,
                f"--file={build / 'image.tar'}",
                f"--directory={build}",
                *names,
            ],
            progress,
        )


def _bake(root: Path, image: Image, certificates: Mapping[str, str], progress: Progress) -> None:
    """Run the image's script in its root, with this machine's names of hosts, and no service."""
    policy, resolve = root / "usr/sbin/policy-rc.d", root / "etc/resolv.conf"
    policy.write_text(_NO_SERVICES)
    policy.chmod(0o755)
    resolve.unlink(missing_ok=True)
    resolve.write_text(Path("/etc/resolv.conf").read_text(errors="replace"))
    # A proxy's settings are in this process's environment.
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(_DATE_S)}
    machine = InRoot(LocalTransport(environment=environment), str(root))
    tail: list[str] = []
    try:
        with machine.stream(_making(image, certificates), timeout_s=_LIMIT_S) as running:
            for _, line in running.lines():
                tail = [*tail, line.rstrip()][-_TAIL_LINES:]
                progress.detail(line.removeprefix("berth: "))
            running.result()
    except CommandFailedError as error:
        raise _failed("the image's spec", tail) from error
    policy.unlink()
    resolve.unlink()
    resolve.touch()
    (root / "etc/machine-id").write_text("")


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
        with machine.stream(command(find_program(words[0]) or words[0], *words[1:])) as running:
            for _, line in running.lines():
                tail = [*tail, line.rstrip()][-_TAIL_LINES:]
                progress.detail(line.removeprefix("I: "))
            running.result()
    except CommandFailedError as error:
        raise _failed(words[0], tail) from error


def _failed(what: str, tail: list[str]) -> LocalStackError:
    return LocalStackError(
        reason="\n  ".join([f"{what} failed:", *tail]),
        cure="check the network and the room on the disk, then run the same command again",
    )


def _remove_tree(folder: Path) -> None:
    """Remove a build folder with what an interrupted debootstrap left mounted in it."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    machine = LocalTransport()
    for mount in reversed([path for path in mounts if Path(path).is_relative_to(folder)]):
        machine.run(command("umount", "--lazy", mount), check=False)
    shutil.rmtree(folder)
