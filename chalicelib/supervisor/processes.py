"""The processes of a step, found and ended from the host.

A step's processes are those in the container's cgroup that carry its marker in their environment,
or carry none and started after the step did. A double fork, `setsid`, an ignored TERM or an emptied
environment does not hide one. The container's own services (below systemd's slices) are left alone,
and so is what another step left running: its server may fork while this step runs.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from chalicelib.supervisor.environment import MARKER

__all__ = ["StepProcesses", "boot_ticks", "payload_cgroup"]

_SERVICES = frozenset({"init.scope", "system.slice"})
_PROC = Path("/proc")
_STARTTIME = 19  # field 22 of /proc/<pid>/stat, counted after the command's closing bracket
_STATE = 0
_GRACE_S = 3.0
_GIVE_UP_S = 20.0
_PAUSE_S = 0.05


def payload_cgroup(project: str, container: str) -> str:
    """Return the name of the cgroup of a container's processes, under cgroup v1 and v2.

    LXD puts the project before the name, except for the default one (`project.Instance` in LXD).

    >>> payload_cgroup("berth", "berth-x-1"), payload_cgroup("default", "c1")
    ('lxc.payload.berth_berth-x-1', 'lxc.payload.c1')
    """
    return f"lxc.payload.{container if project == 'default' else f'{project}_{container}'}"


def boot_ticks() -> int:
    """Return the time since boot in clock ticks, the unit of a process's start time."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


@dataclass(frozen=True)
class StepProcesses:
    """The processes of one step.

    Attributes:
        cgroup: see `payload_cgroup`.
        marker: value of `BERTH_STEP` in the step's environment.
        since_ticks: `boot_ticks()` from before the step began.
    """

    cgroup: str
    marker: str
    since_ticks: int

    def pids(self) -> Iterator[int]:
        """Return the ids of those alive now, as the host numbers them."""
        return (pid for pid in _all_pids() if self.owns(pid))

    def neighbours(self) -> Iterator[int]:
        """Return the ids of all processes of the container, services and other steps' included."""
        return (pid for pid in _all_pids() if self._place(_text(_PROC / str(pid) / "cgroup"))[0])

    def owns(self, pid: int) -> bool:
        """Return whether a live process belongs to the step."""
        try:
            inside, service = self._place((_PROC / str(pid) / "cgroup").read_text())
            if not inside:
                return False
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            if fields[_STATE] in "ZX":
                return False
            mark = _marker(pid)
            if mark.startswith(self.marker.rpartition("-")[0] + "-"):
                return mark == self.marker
            return not service and int(fields[_STARTTIME]) >= self.since_ticks
        except (OSError, IndexError, ValueError):
            return False  # it ended while we looked

    def _place(self, text: str) -> tuple[bool, bool]:
        """Return whether the process is in the container, and whether it is one of its services."""
        for line in text.splitlines():
            parts = line.split(":", 2)[-1].split("/")
            if self.cgroup in parts:
                below = parts[parts.index(self.cgroup) + 1 :]
                return True, bool(_SERVICES.intersection(below))
        return False, False

    def kill(
        self,
        *,
        grace_s: float = _GRACE_S,
        give_up_s: float = _GIVE_UP_S,
        frozen: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> bool:
        """End all of them: TERM, `grace_s` seconds, then KILL again and again; return whether all did.

        Safe to repeat. New processes that the old ones fork meanwhile are killed as well.

        Args:
            grace_s: time to end in order.
            give_up_s: time after which this returns False.
            frozen: stops the container while KILL is sent, so that nothing can fork away from it: a
                fork bomb forks faster than we signal.
        """
        started = time.monotonic()
        asked: set[int] = set()
        while True:
            alive = set(self.pids())
            if not alive:
                return True
            elapsed = time.monotonic() - started
            if elapsed > give_up_s:
                return False
            if elapsed < grace_s:
                for pid in alive - asked:
                    self._signal(pid, signal.SIGTERM)
                asked |= alive
            else:
                with frozen():
                    for pid in self.pids():
                        self._signal(pid, signal.SIGKILL)
            time.sleep(_PAUSE_S)

    def _signal(self, pid: int, number: signal.Signals) -> None:
        # A pidfd holds on to the process: its number cannot be reused between look and signal.
        try:
            handle = os.pidfd_open(pid)
        except OSError:
            return
        try:
            if self.owns(pid):
                signal.pidfd_send_signal(handle, number)
        except OSError:
            return
        finally:
            os.close(handle)


def _all_pids() -> Iterator[int]:
    return (int(path.name) for path in _PROC.iterdir() if path.name.isdigit())


def _marker(pid: int) -> str:
    name = f"{MARKER}=".encode()
    for entry in (_PROC / str(pid) / "environ").read_bytes().split(b"\0"):
        if entry.startswith(name):
            return entry[len(name) :].decode("utf-8", "replace")
    return ""


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
