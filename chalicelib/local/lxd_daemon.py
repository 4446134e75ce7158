"""Finds a running LXD, or starts one, and stops only what was started here.

Debian's package and the snap keep their sockets in different places. Where systemd runs, LXD is its
unit and stays that; elsewhere (a container, a build machine) it is started by hand.
"""

import fcntl
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from chalicelib.clock import SteadyClock
from chalicelib.errors import LocalStackError, NotReadyError
from chalicelib.local import processes
from chalicelib.local.packages import find_program
from chalicelib.local.progress import Progress
from chalicelib.shell import command
from chalicelib.transport import LocalTransport
from chalicelib.wait import WaitPolicy

__all__ = ["Lxd", "exclusive", "find_socket", "require_machine", "start", "stop"]

_SOCKETS = {
    Path("/var/lib/lxd/unix.socket"): "lxd.service",
    Path("/var/snap/lxd/common/lxd/unix.socket"): "snap.lxd.daemon.service",
}
_LOCK = Path("/run/berth/lxd.lock")
_READY_S = 60.0
_STOP_S = 60.0
_NAME = "lxd"
_UNIT_ANSWERS = WaitPolicy(
    name="an answer of LXD",
    sleep=timedelta(milliseconds=50),
    timeout=timedelta(seconds=_READY_S),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lxd:
    """A running LXD. `started_here`: by Berth, for this state folder, now or earlier."""

    socket: Path
    started_here: bool


@contextmanager
def exclusive() -> Iterator[None]:
    """Hold the machine's lock on setting LXD up or down: two stacks may share one LXD."""
    _LOCK.parent.mkdir(parents=True, exist_ok=True)
    with _LOCK.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def require_machine() -> None:
    """Check what no set-up can bring about.

    Raises:
        LocalStackError: not root, or the kernel lacks something; with the cure.
    """
    if os.geteuid() != 0:
        raise LocalStackError(
            reason="only root may set up LXD, its network rules and its image",
            cure="run the same command with sudo",
        )
    if not Path("/proc/self/ns/user").exists():
        raise LocalStackError(
            reason="this kernel has no user namespaces, which unprivileged containers need",
            cure="boot a kernel with CONFIG_USER_NS, such as Debian's own",
        )
    if not _knows_btrfs():
        raise LocalStackError(
            reason="this kernel has no btrfs, whose snapshots make containers in 0.2 s",
            cure="load or install the module: modprobe btrfs",
        )


def _knows_btrfs() -> bool:
    def known() -> bool:
        return "\tbtrfs\n" in Path("/proc/filesystems").read_text()

    modprobe = find_program("modprobe")
    if not known() and modprobe:
        LocalTransport().run(command(modprobe, "btrfs"), check=False)
    return known()


def find_socket() -> Path | None:
    """Return the socket of the LXD that answers on this machine, or None."""
    return next((path for path in _SOCKETS if _answers(path)), None)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def start(state_dir: Path, progress: Progress) -> Lxd:
    """Return the running LXD, started if there was none. Hold `exclusive`.

    Raises:
        LocalStackError: there is no LXD, or it does not become ready.
    """
    found = find_socket()
    if found:
        here = processes.find_living(_NAME, _folder(state_dir)) is not None
        return Lxd(socket=found, started_here=here)
    with progress.step("starting LXD"):
        if Path("/run/systemd/system").is_dir():
            return Lxd(socket=_start_unit(), started_here=False)
        return Lxd(socket=_start_process(state_dir), started_here=True)


def _start_unit() -> Path:
    machine = LocalTransport()
    for path, unit in _SOCKETS.items():
        if machine.run(command("systemctl", "cat", unit), check=False).ok:
            machine.run(command("systemctl", "start", unit), check=False)
            return _wait_answer(path, cure=f"journalctl -u {unit} says what went wrong")
    raise _no_lxd()


def _wait_answer(path: Path, *, cure: str) -> Path:
    try:
        _UNIT_ANSWERS.wait(lambda: _answers(path), clock=SteadyClock())
    except NotReadyError as error:
        raise LocalStackError(reason=f"LXD does not answer at {path}", cure=cure) from error
    return path


def _start_process(state_dir: Path) -> Path:
    program = find_program("lxd")
    if program is None:
        raise _no_lxd()
    log = state_dir / "lxd.log"
    daemon = processes.start(
        [program, "--group", "lxd", "--logfile", str(log)],
        name=_NAME,
        folder=_folder(state_dir),
        log=state_dir / "lxd.out",
        environment={key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ},
    )
    path = next(iter(_SOCKETS))
    processes.wait_ready(
        daemon, lambda: _answers(path), log=state_dir / "lxd.out", limit_s=_READY_S
    )
    return path


def _no_lxd() -> LocalStackError:
    return LocalStackError(
        reason="there is no LXD on this machine", cure="install it: apt-get install lxd"
    )


def stop(state_dir: Path) -> bool:
    """Stop the LXD that was started here, and what it runs; False when none was.

    It is told of a power failure (SIGPWR): it then stops its containers, network and pools, which it
    leaves running when it is merely terminated.
    """
    daemon = processes.find_living(_NAME, _folder(state_dir))
    if daemon is None:
        return False
    os.kill(daemon.pid, signal.SIGPWR)
    processes.wait_gone(daemon, limit_s=_STOP_S)
    processes.stop(_NAME, _folder(state_dir))
    return True


def _folder(state_dir: Path) -> Path:
    return state_dir / "run"
