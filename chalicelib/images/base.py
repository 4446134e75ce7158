"""The base image: Debian 12 with what almost every build needs, and as few files as that takes.

Fewer files make faster containers: LXD walks every file of what it copies. So no documentation, no
message catalogues, no package lists.
"""

from chalicelib.hostspec import Spec
from chalicelib.hostspec.resources import File, Link, Packages, User
from chalicelib.images.image import Image

__all__ = ["IMAGE"]

_USER = "circleci"
"""With 3434, the user of CircleCI's own images; configs name its home folder."""

_PACKAGES = (
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

_MASKED = (
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

_SETTINGS = (
    File(path="/etc/hosts", content="127.0.0.1 localhost\n::1 localhost ip6-localhost\n"),
    File(
        path="/etc/dpkg/dpkg.cfg.d/berth",
        content="path-exclude=/usr/share/doc/*\npath-exclude=/usr/share/locale/*\n"
        "path-exclude=/usr/share/man/*\n",
    ),
    File(
        path="/etc/apt/apt.conf.d/90berth",
        content='APT::Install-Recommends "false";\nAcquire::Languages "none";\n',
    ),
)

IMAGE = Image(
    description="Debian 12, git, Python 3, a C compiler",
    parent=None,
    spec=Spec(
        _SETTINGS,
        Packages(names=_PACKAGES, needs=tuple(each.name for each in _SETTINGS)),
        User(user=_USER, uid=3434, login_shell="/bin/bash"),
        # Once systemd and sudo are there: their packages make the folders.
        # Debian's own empties /tmp at boot: beside the first step, which may have put files there.
        File(
            path="/etc/tmpfiles.d/tmp.conf",
            content="d /tmp 1777 root root -\nd /var/tmp 1777 root root -\n",
        ),
        File(
            path=f"/etc/sudoers.d/{_USER}",
            content=f"{_USER} ALL=(ALL) NOPASSWD:ALL\n",
            mode=0o440,
        ),
        [Link(path=f"/etc/systemd/system/{unit}", target="/dev/null") for unit in _MASKED],
    ),
    emptied=(
        "/usr/share/doc",
        "/usr/share/info",
        "/usr/share/locale",
        "/usr/share/man",
        "/usr/share/zoneinfo/right",
        "/var/cache/apt",
        "/var/lib/apt/lists",
        "/var/log",
    ),
    files=(
        "/etc/hostname",  # of the machine that made it; the container's name is what LXD says
        "/usr/lib/python3.11/EXTERNALLY-MANAGED",  # pip may install into a throw-away container
    ),
)
