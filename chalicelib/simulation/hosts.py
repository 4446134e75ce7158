"""Machines with containers and supervisors, and the driver that reaches them through the boundary.

A machine may be unreachable, cut off from the control plane while its builds go on, rebooted, or
gone for ever. Its fence file survives a reboot; containers and supervisors do not.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import count
from typing import TypeVar

from chalicelib.errors import FenceLostError, HostUnreachableError
from chalicelib.fleet.diagnosis import Diagnosis
from chalicelib.fleet.protocol import AttemptPlan
from chalicelib.simulation.boundary import Boundary
from chalicelib.simulation.supervisors import Office, Supervisor

__all__ = ["Machine", "SimulatedDriver"]

T = TypeVar("T")

Attempt = tuple[str, int]


class Machine:
    """One machine.

    Attributes:
        name: the host's id.
        generation: changes with each boot.
        reachable: whether drivers get an answer.
        connected: whether its supervisors reach the control plane.
        gone: lost for good.
        containers: attempts that have a container.
        supervisors: those that run.
        directories: attempts whose files are there.
    """

    def __init__(self, name: str, boundary: Boundary, office: Office) -> None:
        self.name = name
        self.reachable = True
        self.connected = True
        self.gone = False
        self.containers: dict[Attempt, None] = {}
        self.supervisors: dict[Attempt, Supervisor] = {}
        self.directories: dict[Attempt, None] = {}
        self._fences: dict[str, int] = {}
        self._boundary = boundary
        self._office = office
        self._boots = count(1)
        self.generation = f"{name}-boot-{next(self._boots)}"

    def make_container(self, plan: AttemptPlan) -> None:
        """Make the container, unless it is there."""
        self._take_fence(plan)
        attempt = (plan.job, plan.fence)
        if attempt not in self.containers:
            self.containers[attempt] = None
            self._boundary.history.containers[attempt].add(self.name)
        self._boundary.effect(*attempt)

    def start_supervisor(self, plan: AttemptPlan) -> None:
        """Write the attempt's files and start its supervisor, unless it runs."""
        self._take_fence(plan)
        attempt = (plan.job, plan.fence)
        self.directories[attempt] = None
        running = self.supervisors.get(attempt)
        if running is not None:
            running.ticket = plan.ticket
            return
        supervisor = Supervisor(self, self._office, plan)
        self.supervisors[attempt] = supervisor
        supervisor.start()
        self._boundary.effect(*attempt)

    def remove(self, attempt: Attempt) -> None:
        """Kill the supervisor; remove container and files."""
        supervisor = self.supervisors.pop(attempt, None)
        if supervisor is not None:
            supervisor.kill()
        self.drop_container(attempt)
        self.directories.pop(attempt, None)

    def drop_container(self, attempt: Attempt) -> None:
        """Remove the container, if it is there."""
        if attempt in self.containers:
            del self.containers[attempt]
            self._boundary.history.containers[attempt].discard(self.name)

    def cut_off(self) -> None:
        """Let no supervisor reach the control plane until `connected` is set again."""
        self.connected = False
        self._boundary.history.lost_touch(self.supervisors)

    def reboot(self) -> None:
        """Lose what runs, and begin a new generation."""
        self._boundary.history.lost_touch(self.supervisors)
        for attempt in [*self.supervisors, *self.containers, *self.directories]:
            self.remove(attempt)
        self.generation = f"{self.name}-boot-{next(self._boots)}"

    def vanish(self) -> None:
        """Go for ever."""
        self.reboot()
        self.gone, self.reachable, self.connected = True, False, False

    def _take_fence(self, plan: AttemptPlan) -> None:
        if self._fences.get(plan.job, 0) > plan.fence:
            raise FenceLostError(job=plan.job, fence=plan.fence)
        self._fences[plan.job] = plan.fence


class SimulatedDriver:
    """`fleet.protocol.HostDriver` over a machine."""

    def __init__(self, machine: Machine, boundary: Boundary) -> None:
        self._machine = machine
        self._boundary = boundary

    def make_container(self, plan: AttemptPlan) -> None:
        """See `HostDriver.make_container`."""
        self._call("make_container", _name(plan), lambda: self._machine.make_container(plan))

    def start_supervisor(self, plan: AttemptPlan) -> None:
        """See `HostDriver.start_supervisor`."""
        self._call("start_supervisor", _name(plan), lambda: self._machine.start_supervisor(plan))

    def cancel_attempt(self, job: str, fence: int) -> bool:
        """See `HostDriver.cancel_attempt`."""

        def cancel() -> bool:
            supervisor = self._machine.supervisors.get((job, fence))
            if supervisor is not None:
                supervisor.cancel()
            return supervisor is not None

        return self._call("cancel_attempt", f"{job}-{fence}", cancel)

    def remove_attempt(
        self, job: str, fence: int, *, timeout: timedelta = timedelta(seconds=30)
    ) -> None:
        """See `HostDriver.remove_attempt`."""
        del timeout  # removing takes as long as any call here
        self._call("remove_attempt", f"{job}-{fence}", lambda: self._machine.remove((job, fence)))

    def attempts(self) -> Sequence[Attempt]:
        """See `HostDriver.attempts`."""
        return self._call(
            "attempts", "", lambda: sorted({*self._machine.containers, *self._machine.directories})
        )

    def diagnose(self, job: str, fence: int) -> Diagnosis:
        """See `HostDriver.diagnose`."""

        def diagnose() -> Diagnosis:
            alive = (job, fence) in self._machine.supervisors
            return Diagnosis(lost=not alive, sentence="" if alive else "its supervisor is dead")

        return self._call("diagnose", f"{job}-{fence}", diagnose)

    def killed_in(self, job: str, fence: int) -> str:
        """See `HostDriver.killed_in`. Nothing runs out of memory here."""
        return self._call("killed_in", f"{job}-{fence}", lambda: "")

    def generation(self) -> str:
        """See `HostDriver.generation`."""
        return self._call("generation", "", lambda: self._machine.generation)

    def _call(self, operation: str, told: str, apply: Callable[[], T]) -> T:
        return self._boundary.call(
            operation, f"{self._machine.name} {told}", lambda: self._reached(apply), self._away
        )

    def _reached(self, apply: Callable[[], T]) -> T:
        if not self._machine.reachable:
            raise self._away()
        return apply()

    def _away(self) -> HostUnreachableError:
        return HostUnreachableError(host=self._machine.name, reason="no answer")


def _name(plan: AttemptPlan) -> str:
    return f"{plan.job}-{plan.fence}"
