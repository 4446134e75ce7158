"""A host that is this machine: containers through its LXD, supervisors as its processes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from chalicelib.clock import Clock, SystemClock
from chalicelib.errors import HostUnreachableError
from chalicelib.fleet.cgroups import Owner
from chalicelib.fleet.containers import Containers
from chalicelib.fleet.diagnosis import Diagnosis, Findings, MemoryFindings
from chalicelib.fleet.fences import Fences
from chalicelib.fleet.health import HostHealth
from chalicelib.fleet.local import Supervisors
from chalicelib.fleet.lxd_api import LxdApi
from chalicelib.fleet.machine import (
    log_drift,
    read_counters,
    read_health,
    read_kernel_log,
    since_boot,
)
from chalicelib.fleet.protocol import AttemptPlan
from chalicelib.model import container_name

__all__ = ["LxdHost"]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class LxdHost:
    """`protocol.HostDriver` over one project of one LXD. Building it touches nothing.

    Every method but `generation` raises `HostUnreachableError` when LXD or the system refuses.
    """

    def __init__(
        self,
        *,
        host: str,
        socket: str,
        project: str,
        state_dir: str,
        supervisor: bytes,
        clock: Clock | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            host: id of the host, for errors.
            socket: path of LXD's Unix socket.
            project: the LXD project that holds all of ours.
            state_dir: where fences, tickets and attempts' files are kept on the host.
            supervisor: the supervisor as a zipapp.
            clock: decides which fences are old, and is what the host's clock is compared with;
                the machine's unless given.
        """
        self._host = host
        self._project = project
        self._clock = clock or SystemClock()
        self._fences = Fences(Path(state_dir) / "fences")
        self._supervisors = Supervisors(Path(state_dir), supervisor, host=host)
        self._api = LxdApi(socket, host=host, project=project)
        self._containers = Containers(self._api, host=host, project=project)

    def make_container(self, plan: AttemptPlan) -> None:
        """Copy a golden container of the image, with the plan's limits, and start it."""
        with self._translated(), self._fences.hold(plan.job, plan.fence):
            self._containers.make(plan)

    def start_supervisor(self, plan: AttemptPlan) -> None:
        """Write the attempt's directory and start its supervisor, detached, unless it runs."""
        with self._translated(), self._fences.hold(plan.job, plan.fence):
            self._supervisors.start(plan)

    def cancel_attempt(self, job: str, fence: int) -> bool:
        """Send the supervisor SIGTERM; False when none runs."""
        with self._translated():
            return self._supervisors.cancel(job, fence)

    def remove_attempt(
        self, job: str, fence: int, *, timeout: timedelta = timedelta(seconds=30)
    ) -> None:
        """Kill the supervisor, remove the container, then the directory. Safe to repeat.

        The directory goes last: as long as it is there, `attempts` names what is not yet cleared.
        """
        with self._translated(), self._fences.lock(job):
            self._supervisors.kill(job, fence, timeout_s=timeout.total_seconds())
            self._containers.remove(container_name(job, fence))
            self._supervisors.forget(job, fence)

    def attempts(self) -> Sequence[tuple[str, int]]:
        """Return (job, fence) of each container and directory; forget fences of days ago."""
        with self._translated():
            found = sorted({*self._containers.attempts(), *self._supervisors.attempts()})
            self._fences.forget({job for job, _ in found}, now=self._clock.now())
            return found

    def diagnose(self, job: str, fence: int) -> Diagnosis:
        """Return what is wrong with the attempt here."""
        name = container_name(job, fence)
        with self._translated():
            began = self._began(job, fence)
            return Findings(
                supervisor_alive=self._supervisors.alive(job, fence),
                container=self._containers.status(name),
                rebooted=began is not None and _since_boot(began) < timedelta(0),
                memory=self._memory(job, fence, began=began),
                health=self.health(),
            ).diagnosis()

    def killed_in(self, job: str, fence: int) -> str:
        """Return what the kernel killed in the attempt's container, or the empty string.

        LXD is not asked: the supervisor removes the container before it sends the result.
        """
        with self._translated():
            started = self._supervisors.started_at(job, fence)
            found = self._memory(job, fence, began=started)
        return found.inside.sentence() if found.inside else ""

    def _memory(self, job: str, fence: int, *, began: datetime | None) -> MemoryFindings:
        name = container_name(job, fence)
        return MemoryFindings.of(
            read_kernel_log(),
            read_counters(self._project, name),
            owner=Owner(project=self._project, container=name, job=job, fence=fence),
            supervisor=self._supervisors.process(job, fence),
            since=None if began is None else _since_boot(began) - log_drift(),
        )

    def health(self) -> HostHealth:
        """Return how the host is. That LXD does not answer is said by the answer.

        Raises:
            HostUnreachableError: the folder of the attempts' files is not to be had.
        """
        answer, clock = self._api.probe(self._clock)
        with self._translated():
            rooms = [self._supervisors.room()]
        if not answer.error:
            with suppress(HostUnreachableError):
                rooms += self._containers.rooms()
        return replace(
            read_health(),
            rooms=tuple(rooms),
            lxd=answer,
            clock_skew=clock.skew() if clock else timedelta(0),
        )

    def _began(self, job: str, fence: int) -> datetime | None:
        """Return when the attempt began here; None when nothing of it is left."""
        made = self._containers.created_at(container_name(job, fence))
        moments = [made, self._supervisors.started_at(job, fence)]
        return min((moment for moment in moments if moment is not None), default=None)

    def generation(self) -> str:
        """Return the kernel's boot id."""
        return _BOOT_ID.read_text(encoding="ascii").strip()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise HostUnreachableError(host=self._host, reason=str(error)) from error


def _since_boot(moment: datetime) -> timedelta:
    # What is noted on the machine is by the machine's clock, whatever clock a driver was given.
    return since_boot(moment, now=SystemClock().now())
