"""Looks whether this machine can run the local stack: each finding with its cure.

It only looks: nothing is started, installed or changed.
"""

import os
import platform
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from chalicelib.local import packages, processes
from chalicelib.local.places import Places
from chalicelib.shell import command
from chalicelib.transport import LocalTransport

__all__ = ["LXD_SOCKETS", "Finding", "examine"]

LXD_SOCKETS = (
    Path("/var/lib/lxd/unix.socket"),
    Path("/var/snap/lxd/common/lxd/unix.socket"),
    Path("/run/lxd.socket"),
)
_DISK_OK_GIB = 12
_DISK_LEAST_GIB = 5
_MEMORY_OK_MIB = 6000
_MEMORY_LEAST_MIB = 2500
_OLDEST_S = 1_767_225_600  # 2026-01-01: a clock before that breaks signatures and leases
_GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. `cure` is empty when nothing is amiss."""

    name: str
    level: Literal["ok", "warn", "fail"]
    text: str
    cure: str = ""


def examine(places: Places) -> tuple[Finding, ...]:
    """Return what was found, in the order in which it would stop `./berth up`."""
    return tuple(_findings(places))


def _findings(places: Places) -> Iterator[Finding]:
    yield _system()
    yield _rights()
    yield _programs()
    yield from _kernel()
    yield _daemon()
    yield from _ports(places)
    yield _disk(places)
    yield _memory()
    yield _clock()


def _finding(
    name: str, text: str, trouble: str = "", cure: str = "", *, mild: bool = False
) -> Finding:
    if not trouble:
        return Finding(name=name, level="ok", text=text)
    return Finding(name=name, level="warn" if mild else "fail", text=trouble, cure=cure)


def _system() -> Finding:
    system = f"{platform.system()} {platform.release()} on {platform.machine()}"
    wrong = "" if platform.system() == "Linux" else f"{system}: LXD needs Linux"
    return _finding("system", system, wrong, "use a Debian 12 or Ubuntu 24.04 virtual machine")


def _rights() -> Finding:
    trouble = "" if os.geteuid() == 0 else "not root: LXD cannot be set up"
    return _finding("rights", "root", trouble, "run as root, or: sudo ./berth up")


def _programs() -> Finding:
    lacking = packages.missing("up")
    trouble = f"lacking: {', '.join(lacking)}" if lacking else ""
    return _finding("programs", "all there", trouble, "./berth up installs them as root")


def _kernel() -> Iterator[Finding]:
    filesystems = _read("/proc/filesystems").split()
    for name in ("btrfs", "overlay"):
        there = name in filesystems or _module(name)
        trouble = "" if there else f"the kernel has no {name}"
        yield _finding(name, "in the kernel", trouble, f"modprobe {name}, or another kernel")
    loops = Path("/dev/loop-control").exists()
    yield _finding(
        "loop devices", "there", "" if loops else "no /dev/loop-control", "modprobe loop"
    )
    groups = Path("/sys/fs/cgroup")
    version = "v2" if (groups / "cgroup.controllers").exists() else "v1"
    mounted = any(groups.iterdir()) if groups.is_dir() else False
    yield _finding("cgroups", version, "" if mounted else "not mounted", "mount /sys/fs/cgroup")
    bridge = Path("/sys/module/bridge").exists() or _module("bridge")
    yield _finding(
        "bridge", "there", "" if bridge else "the kernel has no bridge", "modprobe bridge"
    )
    yield _firewall()
    ids = _read("/proc/sys/user/max_user_namespaces").strip()
    yield _finding(
        "user namespaces",
        f"up to {ids}" if ids else "there",
        "forbidden" if ids == "0" else "",
        "sysctl user.max_user_namespaces=28633",
    )


def _firewall() -> Finding:
    nft = packages.find_program("nft")
    if nft is None or os.geteuid() != 0:
        return _finding("nftables", "not looked at: that takes root and nft")
    done = LocalTransport().run(command(nft, "list", "tables"), check=False)
    said = done.stderr.decode(errors="replace").strip()
    trouble = "" if done.ok else f"refused: {said}"
    return _finding("nftables", "answers", trouble, "modprobe nf_tables, or another kernel")


def _module(name: str) -> bool:
    """Return whether the running kernel could load, or has built in, the module."""
    folder = Path("/lib/modules") / platform.release()
    wanted = f"/{name}.ko"
    return any(wanted in _read(str(folder / file)) for file in ("modules.dep", "modules.builtin"))


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _daemon() -> Finding:
    for path in LXD_SOCKETS:
        if not path.exists():
            continue
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2)
            try:
                client.connect(str(path))
            except OSError as error:
                return _finding(
                    "lxd", "", f"{path}: {error.strerror or error}", "./berth up", mild=True
                )
            return _finding("lxd", f"answers at {path}")
    return _finding("lxd", "", "no daemon runs", "./berth up starts one", mild=True)


def _ports(places: Places) -> Iterator[Finding]:
    ours = {daemon.pid for daemon in _ours(places)}
    for port in (places.port, places.forge_port, places.emulator_port):
        holder = processes.holder_of_port(port)
        foreign = holder and not any(f"(pid {pid})" in holder for pid in ours)
        trouble = f"in use by {holder}" if foreign else ""
        text = "ours" if holder else "free"
        yield _finding(f"port {port}", text, trouble, "end that program, or set BERTH_PORT")


def _ours(places: Places) -> Iterator[processes.Daemon]:
    records = (("doors", places.processes), ("emulator", places.state / "emulator"))
    for name, folder in records:
        daemon = processes.find_living(name, folder)
        if daemon:
            yield daemon


def _disk(places: Places) -> Finding:
    folder = places.home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / _GIB
    text = f"{free:.0f} GiB free at {folder}"
    trouble = "" if free >= _DISK_OK_GIB else f"only {text}; images and containers need more"
    return _finding("disk", text, trouble, "make room", mild=free >= _DISK_LEAST_GIB)


def _memory() -> Finding:
    lines = dict(line.split(":", 1) for line in _read("/proc/meminfo").splitlines() if ":" in line)
    free = int(lines.get("MemAvailable", "0 kB").split()[0]) // 1024
    text = f"{free} MiB available"
    trouble = "" if free >= _MEMORY_OK_MIB else f"only {text}"
    cure = "end other programs, or lower BERTH_CONTAINER_MEMORY_MIB"
    return _finding("memory", text, trouble, cure, mild=free >= _MEMORY_LEAST_MIB)


def _clock() -> Finding:
    now = datetime.now(UTC).timestamp()
    trouble = "" if now > _OLDEST_S else "the machine's clock is years behind"
    return _finding("clock", "plausible", trouble, "set it, and let something keep it (chrony)")
