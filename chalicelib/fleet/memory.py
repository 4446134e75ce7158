"""The verified fake of a host: the same contract, in this process's memory.

`tests/contract/test_fleet.py` holds it equal to real LXD. What really happens in a container or a
supervisor is not imitated: a test reads `containers` and `supervisors`, and ends them itself.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from chalicelib.errors import FenceLostError, HostUnreachableError, ImageMissingError
from chalicelib.fleet.diagnosis import Diagnosis, Findings, Killed, MemoryFindings
from chalicelib.fleet.health import HostHealth, Room
from chalicelib.fleet.protocol import AttemptPlan, Instance

__all__ = ["MemoryHost", "MemoryInstances"]

_FULL_DISK = Room(what="the attempts' files", free_bytes=0, total_bytes=1 << 30)


class MemoryHost:
    """`protocol.HostDriver` in memory.

    Attributes:
        containers: attempts that have a running container, with the plan it was made from.
        supervisors: attempts whose supervisor runs, with its plan.
        unreachable: while True every call raises `HostUnreachableError`.
        disk_full: what `diagnose` says of the disk.
        killed: what the kernel killed in each container.
    """

    def __init__(
        self,
        host: str = "memory",
        *,
        images: Collection[str] = ("base",),
        generation: str = "generation-1",
    ) -> None:
        self.containers: dict[tuple[str, int], AttemptPlan] = {}
        self.supervisors: dict[tuple[str, int], AttemptPlan] = {}
        self.unreachable = False
        self.disk_full = False
        self.killed: dict[tuple[str, int], Killed] = {}
        self._host = host
        self._images = frozenset(images)
        self._generation = generation
        self._fences: dict[str, int] = {}
        self._directories: set[tuple[str, int]] = set()

    def make_container(self, plan: AttemptPlan) -> None:
        """Note a running container, unless there is one."""
        self._reach()
        self._take_fence(plan)
        if plan.image not in self._images:
            raise ImageMissingError(host=self._host, image=plan.image, reason="never prepared")
        self.containers.setdefault((plan.job, plan.fence), plan)

    def start_supervisor(self, plan: AttemptPlan) -> None:
        """Note a running supervisor, unless there is one."""
        self._reach()
        self._take_fence(plan)
        self._directories.add((plan.job, plan.fence))
        self.supervisors.setdefault((plan.job, plan.fence), plan)

    def cancel_attempt(self, job: str, fence: int) -> bool:
        """End the supervisor, as one does that was asked to; False when none runs."""
        self._reach()
        return self.supervisors.pop((job, fence), None) is not None

    def remove_attempt(
        self, job: str, fence: int, *, timeout: timedelta = timedelta(seconds=30)
    ) -> None:
        """Forget the supervisor, the container and the directory."""
        del timeout  # nothing here takes time
        self._reach()
        self.supervisors.pop((job, fence), None)
        self.containers.pop((job, fence), None)
        self._directories.discard((job, fence))

    def attempts(self) -> Sequence[tuple[str, int]]:
        """Return (job, fence) of every container and directory, in order."""
        self._reach()
        return sorted({*self.containers, *self._directories})

    def diagnose(self, job: str, fence: int) -> Diagnosis:
        """Return what is missing of the attempt."""
        self._reach()
        return Findings(
            supervisor_alive=(job, fence) in self.supervisors,
            container="Running" if (job, fence) in self.containers else "",
            memory=MemoryFindings(inside=self.killed.get((job, fence))),
            health=HostHealth(rooms=(_FULL_DISK,) if self.disk_full else ()),
        ).diagnosis()

    def killed_in(self, job: str, fence: int) -> str:
        """Return what a test has put into `killed`."""
        self._reach()
        killed = self.killed.get((job, fence))
        return killed.sentence() if killed else ""

    def generation(self) -> str:
        """Return the generation given at the start."""
        self._reach()
        return self._generation

    def _reach(self) -> None:
        if self.unreachable:
            raise HostUnreachableError(host=self._host, reason="made unreachable by a test")

    def _take_fence(self, plan: AttemptPlan) -> None:
        if self._fences.get(plan.job, 0) > plan.fence:
            raise FenceLostError(job=plan.job, fence=plan.fence)
        self._fences[plan.job] = plan.fence


class MemoryInstances:
    """`protocol.Instances` in memory; also what an installation has whose hosts are no instances."""

    def __init__(self) -> None:
        self._launched: dict[str, datetime] = {}

    def launch(self, instance: str, *, now: datetime) -> None:
        """Note an instance, as its launch would."""
        self._launched[instance] = now

    def launched(self) -> Iterator[Instance]:
        """Yield what was launched and not terminated, by id."""
        for name, moment in sorted(self._launched.items()):
            yield Instance(id=name, launched_at=moment)

    def terminate(self, instance: str) -> None:
        """Forget the instance."""
        self._launched.pop(instance, None)
