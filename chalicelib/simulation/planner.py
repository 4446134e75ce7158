"""The planner's asynchronous invocations: Lambda repeats a failed one twice, and may lose it."""

from collections.abc import Callable
from itertools import count

from chalicelib.simulation.boundary import Boundary
from chalicelib.simulation.engine import Actor
from chalicelib.simulation.lambdas import Lambdas

__all__ = ["Planner"]

_PAUSES_MS = (60_000, 120_000)
"""Lambda's own: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""
_LOST = 0.1


class Planner:
    """Lambda's queue of asynchronous events for `plan_pipeline`."""

    def __init__(
        self, boundary: Boundary, lambdas: Lambdas, serve: Callable[[str], object]
    ) -> None:
        self._boundary = boundary
        self._lambdas = lambdas
        self._serve = serve
        self._number = count(1)

    def begin(self, pipeline: str) -> None:
        """Take the event; whatever becomes of it, the caller is not told."""
        if self._boundary.faults.on and self._boundary.random.random() < _LOST:
            self._boundary.note("the planner's event is lost")
            return
        actor = Actor(f"event {next(self._number)}")
        self._boundary.engine.spawn(actor, lambda: self._deliver(actor, pipeline))

    def _deliver(self, actor: Actor, pipeline: str) -> None:
        for pause_ms in (*_PAUSES_MS, 0):
            invocation = self._lambdas.invoke(
                "plan_pipeline", lambda: self._serve(pipeline), limit_s=60, caller=actor
            )
            while not invocation.over:
                self._boundary.engine.pause(120_000)
            if not invocation.error:
                return
            self._boundary.engine.pause(pause_ms)
