"""What is in the base image, as data, and how a fresh debootstrap folder is made into it.

Fewer files make faster containers: LXD walks every file of what it copies. So no documentation, no
message catalogues, no package lists.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chalicelib.errors import CommandFailedError, LocalStackError
from chalicelib.local.packages import find_program
from chalicelib.shell import command
from chalicelib.transport import LocalTransport

__all__ = ["FILES", "MASKED", "PACKAGES", "REMOVED", "UNWANTED", "USER", "FileSpec", "finish"]

PACKAGES = (
    "systemd-sysv",
    "dbus",
    "iproute2",
    "libnss-myhostname",  # sudo looks the host's name up
    "ca-certificates",
    "curl",
    "git",
    "openssh-client",
    "python3",  # python3-minimal lacks modules that tools expect
    "python3-pip",
    "python3-venv",
    "sudo",
    "build-essential",
    "procps",
    "python-is-python3",
    "less",
    "jq",
    "unzip",
    "wget",
    "xz-utils",
)

USER = ("circleci", 3434)
"""Name and id of the user of CircleCI's own images; configs name its home folder."""

MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty.target",
    "modprobe@.service",
    "proc-sys-fs-binfmt_misc.automount",
    "sys-kernel-config.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-binfmt.service",  # fails in a container, which makes the system "degraded"
    "systemd-firstboot.service",
    "systemd-journal-flush.service",
    "systemd-logind.service",
    "systemd-machine-id-commit.service",  # each container has an id of its own, and forgets it
    "systemd-modules-load.service",
    "systemd-networkd.service",  # liblxc sets the address
    "systemd-pstore.service",
    "systemd-random-seed.service",
    "systemd-resolved.service",
    "systemd-sysctl.service",
    "systemd-timesyncd.service",
    "systemd-tmpfiles-clean.timer",
    "systemd-update-utmp-runlevel.service",
    "systemd-update-utmp.service",
    "tmp.mount",  # would hide what was put into /tmp before it is mounted
)
"""Units that a job does not need; the first step runs beside what is left."""

REMOVED = (
    "usr/share/doc",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/zoneinfo/right",
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
)
"""Folders that are emptied."""

UNWANTED = (
    "etc/hostname",  # debootstrap copies the machine's; the container's name is what LXD says
    "usr/lib/python3.11/EXTERNALLY-MANAGED",  # pip may install into a throw-away container
)
"""Files that are removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSpec:
    """A file of the image: its text and mode."""

    text: str
    mode: int = 0o644


FILES: Mapping[str, FileSpec] = {
    "etc/hosts": FileSpec(text="127.0.0.1 localhost\n::1 localhost ip6-localhost\n"),
    "etc/machine-id": FileSpec(text=""),
    "etc/resolv.conf": FileSpec(text=""),  # written per machine, in the golden container
    "etc/sudoers.d/circleci": FileSpec(text="circleci ALL=(ALL) NOPASSWD:ALL\n", mode=0o440),
    # Debian's own empties /tmp at boot: beside the first step, which may have put files there.
    "etc/tmpfiles.d/tmp.conf": FileSpec(
        text="d /tmp 1777 root root -\nd /var/tmp 1777 root root -\n"
    ),
    "etc/dpkg/dpkg.cfg.d/berth": FileSpec(
        text="path-exclude=/usr/share/doc/*\npath-exclude=/usr/share/locale/*\n"
        "path-exclude=/usr/share/man/*\n"
    ),
    "etc/apt/apt.conf.d/90berth": FileSpec(
        text='APT::Install-Recommends "false";\nAcquire::Languages "none";\n'
    ),
}


def finish(root: Path, certificates: Mapping[str, str]) -> None:
    """Make a fresh debootstrap folder into the image's root. Not safe to repeat.

    Args:
        root: the folder.
        certificates: extra CA certificates by file name, as PEM.

    Raises:
        LocalStackError: a program in the folder failed.
    """
    user, uid = USER
    _in_root(root, "useradd", "--create-home", f"--uid={uid}", "--shell=/bin/bash", user)
    for folder in REMOVED:
        _empty(root / folder)
    for name in UNWANTED:
        (root / name).unlink(missing_ok=True)
    for place, spec in FILES.items():
        target = root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_text(spec.text)
        target.chmod(spec.mode)
    for unit in MASKED:
        link = root / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    if certificates:
        trusted = root / "usr/local/share/ca-certificates"
        for file, certificate in certificates.items():
            (trusted / file).write_text(certificate)
        _in_root(root, "update-ca-certificates")


def _empty(folder: Path) -> None:
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _in_root(root: Path, *words: str) -> None:
    chroot = find_program("chroot") or "chroot"
    machine = LocalTransport(environment=os.environ)  # a proxy's settings are in it
    try:
        machine.run(command(chroot, root, *words))
    except CommandFailedError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise LocalStackError(
            reason=f"{words[0]} failed in the new image: {said}",
            cure="run the same command again; the image is then made anew",
        ) from error
