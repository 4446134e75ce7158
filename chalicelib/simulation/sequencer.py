"""The sequencer's driver in the simulation: what `sequencer/aws.py` is, over simulated services."""

from collections.abc import Iterator

from chalicelib.errors import StoreUnavailableError
from chalicelib.simulation.boundary import Boundary
from chalicelib.simulation.machine import StateMachine
from chalicelib.simulation.planner import Planner

__all__ = ["SimulatedSequencer"]


class SimulatedSequencer:
    """`sequencer.protocol.Sequencer`; every call crosses the boundary."""

    def __init__(self, boundary: Boundary, machine: StateMachine, planner: Planner) -> None:
        self._boundary = boundary
        self._machine = machine
        self._planner = planner

    def plan(self, pipeline: str) -> None:
        """See `Sequencer.plan`."""
        self._boundary.call("plan", pipeline, lambda: self._planner.begin(pipeline), _away)

    def start(self, job: str, fence: int) -> None:
        """See `Sequencer.start`."""
        self._boundary.call(
            "start", f"{job}-{fence}", lambda: self._machine.start(job, fence), _away
        )

    def stop(self, job: str, fence: int, *, reason: str) -> None:
        """See `Sequencer.stop`."""
        name = f"{job}-{fence}"
        self._boundary.call("stop", f"{name} ({reason})", lambda: self._machine.stop(name), _away)

    def open_executions(self) -> Iterator[tuple[str, int]]:
        """See `Sequencer.open_executions`."""
        yield from self._boundary.call(
            "open_executions",
            "",
            lambda: [(each.job, each.fence) for each in self._machine.open()],
            _away,
        )

    def heartbeat(self, task_token: str) -> bool:
        """See `Sequencer.heartbeat`."""
        return self._boundary.call(
            "heartbeat", task_token, lambda: self._machine.heartbeat(task_token), _away
        )

    def succeed(self, task_token: str) -> bool:
        """See `Sequencer.succeed`."""
        return self._boundary.call(
            "succeed", task_token, lambda: self._machine.succeed(task_token), _away
        )


def _away() -> Exception:
    return StoreUnavailableError(reason="Step Functions did not answer")
