"""The contract of a host: containers by (job, fence), and the supervisor beside them.

Every effect is named by (job, fence) and may be repeated: making a container that exists, starting
a supervisor that runs, removing what is gone are all successes. A fence file on the host refuses
an attempt that is older than one it has seen.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from chalicelib.fleet.diagnosis import Diagnosis

__all__ = ["AttemptPlan", "ContainerLimits", "HostDriver", "Instance", "Instances"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerLimits:
    """What one container may use. Defaults fit a 2-core machine with four slots."""

    cpus: int = 2
    memory_mib: int = 4096
    disk_gib: int = 20
    processes: int = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptPlan:
    """All that the host needs to know of one attempt.

    Attributes:
        job, fence: the attempt.
        image: which golden container to copy.
        limits: of the container.
        ticket: the attempt's bearer token. Written to a file only root reads; never an argument.
        supervisor: what the supervisor reads as `attempt.json`, without the ticket.
    """

    job: str
    fence: int
    image: str
    limits: ContainerLimits = field(default_factory=ContainerLimits)
    ticket: str
    supervisor: Mapping[str, Any]


class HostDriver(Protocol):
    """Drives one host."""

    def make_container(self, plan: AttemptPlan) -> None:
        """Copy the image's golden container, set the limits, start it.

        Raises:
            FenceLostError: the host has seen a newer fence of this job.
            ImageMissingError: there is no golden container of that image.
            HostUnreachableError: LXD did not answer, or refused.
        """
        ...

    def start_supervisor(self, plan: AttemptPlan) -> None:
        """Write the attempt's directory and start its supervisor, detached, unless it runs.

        Raises:
            FenceLostError: the host has seen a newer fence of this job.
            HostUnreachableError: the host did not answer.
        """
        ...

    def cancel_attempt(self, job: str, fence: int) -> bool:
        """Ask the supervisor to end the attempt as cancelled; False when none runs."""
        ...

    def remove_attempt(
        self, job: str, fence: int, *, timeout: timedelta = timedelta(seconds=30)
    ) -> None:
        """Kill the supervisor if it runs, remove the container and the attempt's directory."""
        ...

    def attempts(self) -> Sequence[tuple[str, int]]:
        """Return (job, fence) of every container and attempt directory of ours on the host."""
        ...

    def diagnose(self, job: str, fence: int) -> Diagnosis:
        """Return whether the attempt is lost here, and one sentence on why.

        It says whether the supervisor is alive, the container is there, what the kernel killed of it
        for want of memory (process, limit, peak), and whether the disk is full. What else strains
        the host is said only beside one of these.
        """
        ...

    def killed_in(self, job: str, fence: int) -> str:
        """Return one sentence on what the kernel killed in the attempt's container, or nothing.

        For want of memory; also after the container is gone, as long as the kernel's log has it.
        """
        ...

    def generation(self) -> str:
        """Return the boot generation of the host."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A machine that a cloud bills this installation for. Its id is the id of the host it becomes."""

    id: str
    launched_at: datetime


class Instances(Protocol):
    """The machines of this installation at a cloud. Raises `StoreUnavailableError` when that is away."""

    def launched(self) -> Iterator[Instance]:
        """Yield every instance of this installation that has not been terminated."""
        ...

    def terminate(self, instance: str) -> None:
        """End an instance; one that is gone is a success."""
        ...
