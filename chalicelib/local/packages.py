"""The system's own programs that the local stack needs, and how this system installs them.

Standard library only: the launcher imports this before anything is installed. A program that is
there, whoever installed it, is enough.
"""

import os
import shutil
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from chalicelib.errors import LocalStackError
from chalicelib.local.progress import Progress
from chalicelib.shell import command
from chalicelib.transport import run_attached

__all__ = ["LXD_PROGRAMS", "ensure", "ensure_named", "find_program", "install_commands", "missing"]

LXD_PROGRAMS = {
    "lxd": "lxd",
    "lxc": "lxd-client",
    "mkfs.btrfs": "btrfs-progs",
    "dnsmasq": "dnsmasq-base",
    "nft": "nftables",
    "newuidmap": "uidmap",
    "debootstrap": "debootstrap",
    "git": "git",
}
_SHELLS = {"bash": "bash", "busybox": "busybox", "dash": "dash"}
"""What scripts are rendered for, and tested on."""
_SSHD = {"sshd": "openssh-server", "ssh-keygen": "openssh-client"}
"""What the SSH transport is tested on, and measured with."""
_HOST = {**_SSHD, "curl": "curl", "pgrep": "procps", "sudo": "sudo"}
"""What the hosts of the transports' tests have: this machine is one of them."""
_DEVICES = {
    "mkfs.btrfs": "btrfs-progs",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.xfs": "xfsprogs",
    "openssl": "openssl",
}
"""What filesystems and certificates of host specs are tested with."""

_KERNEL = {"linux.uml": "user-mode-linux", "modprobe": "kmod"}
"""A kernel as a program: what no container may do is tested on it."""

_NEEDS = {
    "up": LXD_PROGRAMS,
    "build": LXD_PROGRAMS,
    "image": LXD_PROGRAMS,
    "bench": {**LXD_PROGRAMS, **_SSHD},
    "test": {
        **LXD_PROGRAMS,
        **_SHELLS,
        **_HOST,
        **_DEVICES,
        **_KERNEL,
        "chromium": "chromium",
        "chromedriver": "chromium-driver",
    },
    "check": {"git": "git", **_SHELLS, **_HOST, **_DEVICES, **_KERNEL},
}
_MORE_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/snap/bin")
_TAIL_LINES = 8


def find_program(name: str) -> str | None:
    """Return the program's path; folders that only root has on its PATH are searched too."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_MORE_FOLDERS])
    return shutil.which(name, path=path)


def missing(asked: str) -> list[str]:
    """Return the packages that `./berth <asked>` needs and this system lacks."""
    wanted = _NEEDS.get(asked, {})
    return [package for program, package in wanted.items() if not find_program(program)]


def ensure(asked: str) -> None:
    """Install what `./berth <asked>` lacks, after saying so.

    Raises:
        LocalStackError: not root, or no way to install on this system; the cure says what to type.
    """
    lacking = missing(asked)
    if lacking:
        ensure_named(lacking)


def ensure_named(lacking: Sequence[str]) -> None:
    """Install these Debian packages, after saying which.

    Raises:
        LocalStackError: not root, no apt-get, or the installation failed.
    """
    typed = install_commands(lacking, lxd_is_a_snap=_lxd_is_a_snap())
    if not all(shutil.which(words[0]) for words in typed):
        raise LocalStackError(
            reason=f"this system lacks {', '.join(lacking)}, and has no {typed[0][0]} to get them",
            cure="install LXD (5.0 or newer), btrfs-progs, debootstrap, dnsmasq, nftables and "
            "uidmap by this system's own means, or use a Debian 12 or Ubuntu 24.04 machine",
        )
    if os.geteuid() != 0:
        said = " && ".join("sudo " + " ".join(words) for words in typed)
        raise LocalStackError(reason=f"this system lacks {', '.join(lacking)}", cure=said)
    progress = Progress()
    progress.note(f"this system lacks {', '.join(lacking)}; installing them")
    for words in typed:
        with progress.step(" ".join(words[:2])):
            _run(words, progress)


def install_commands(lacking: Sequence[str], *, lxd_is_a_snap: bool) -> list[list[str]]:
    """Return the commands that install these Debian packages.

    >>> install_commands(["lxd", "git"], lxd_is_a_snap=True)
    [['apt-get', 'install', '-y', 'git'], ['snap', 'install', 'lxd']]
    """
    snap = [name for name in lacking if name in {"lxd", "lxd-client"}] if lxd_is_a_snap else []
    plain = [name for name in lacking if name not in snap]
    apt = [["apt-get", "install", "-y", *plain]] if plain else []
    return [*apt, *([["snap", "install", "lxd"]] if snap else [])]


def _lxd_is_a_snap() -> bool:
    """Ubuntu has LXD only as a snap; Debian has it as a package."""
    try:
        release = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return False
    return "ID=ubuntu" in release


def _run(words: Sequence[str], progress: Progress) -> None:
    if words[0] == "apt-get" and not any(Path("/var/lib/apt/lists").glob("*_Packages*")):
        _call(["apt-get", "update"], progress)
    status, _ = _call(words, progress)
    if status and words[0] == "apt-get":  # the lists may be older than the mirror
        _call(["apt-get", "update"], progress)
        status, tail = _call(words, progress)
        if status:
            raise LocalStackError(
                reason="\n  ".join([f"{' '.join(words)} failed:", *tail]),
                cure="repair that (apt-get says how), then run this again",
            )
    elif status:
        raise LocalStackError(reason=f"{' '.join(words)} failed", cure="run it by hand")


def _call(words: Sequence[str], progress: Progress) -> tuple[int, list[str]]:
    tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def said(line: str) -> None:
        tail.append(line.rstrip())
        progress.detail(line)

    # Attached: a dpkg that is killed leaves the system half installed. apt-get gets Ctrl-C itself,
    # and ends in order.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return run_attached(command(*words), environment=environment, on_line=said), list(tail)
