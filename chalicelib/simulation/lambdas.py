"""AWS Lambda: runs a function as an actor on a machine of its own, with a time limit and a clock.

An invocation ends well, with an error's class name, or with its machine gone. Callers that wait are
woken; those that do not are not told.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from chalicelib.errors import BerthError
from chalicelib.simulation.boundary import Boundary
from chalicelib.simulation.deployment import Deployment
from chalicelib.simulation.engine import Actor, Killed
from chalicelib.simulation.faults import Fault
from chalicelib.simulation.history import Violation

__all__ = ["Invocation", "Lambdas"]

_SECOND_MS = 1000
_LONGEST_START_MS = 900
_GONE = "Lambda.Unknown"
_NOT_RUN = "Lambda.TooManyRequestsException"
_NO_ANSWER = "Lambda.SdkClientException"


@dataclass(slots=True)
class Invocation:
    """One call of a function. `error` is the class name of what it raised; empty when it ended well."""

    over: bool = False
    answer: Any = None
    error: str = ""
    cause: str = ""


class Lambdas:
    """Starts functions."""

    def __init__(self, boundary: Boundary, deployment: Deployment, *, worst_skew_ms: int) -> None:
        self._boundary = boundary
        self._deployment = deployment
        self._worst_skew_ms = worst_skew_ms
        self._number = count(1)

    def invoke(
        self,
        name: str,
        work: Callable[[], Any],
        *,
        limit_s: int,
        attempt: tuple[str, int] | None = None,
        caller: Actor | None = None,
    ) -> Invocation:
        """Run the function; the invocation that is returned fills up later, and wakes the caller."""
        boundary, invocation = self._boundary, Invocation()
        fault = boundary.faults.draw("invoke")
        if fault is not None:
            boundary.note(f"invoke {name}  !! {fault}")
        if fault is Fault.NOT_RUN:
            invocation.over, invocation.error = True, _NOT_RUN
            return invocation
        lost = Invocation()
        if fault is Fault.TWICE:
            self._spawn(name, work, lost, limit_s=limit_s, attempt=attempt, caller=None)
        answered = lost if fault is Fault.LOST else invocation
        self._spawn(name, work, answered, limit_s=limit_s, attempt=attempt, caller=caller)
        if fault is Fault.LOST:
            invocation.over, invocation.error = True, _NO_ANSWER
        return invocation

    def _spawn(
        self,
        name: str,
        work: Callable[[], Any],
        invocation: Invocation,
        *,
        limit_s: int,
        attempt: tuple[str, int] | None,
        caller: Actor | None,
    ) -> None:
        engine, random = self._boundary.engine, self._boundary.random
        actor = Actor(
            f"{name}.{next(self._number)}",
            skew_ms=random.randint(-self._worst_skew_ms, self._worst_skew_ms),
        )
        actor.attempt = attempt
        actor.version = self._deployment.drawn()
        delay_ms = random.randint(1, _LONGEST_START_MS)

        def live() -> None:
            actor.deadline_ms = engine.now_ms + limit_s * _SECOND_MS
            try:
                invocation.answer = work()
            except BerthError as error:
                invocation.error, invocation.cause = type(error).__name__, str(error)
                self._boundary.note(f"raised {invocation.error}: {error}"[:160])
            except Killed:
                invocation.error = _GONE
                self._boundary.note("killed")
                raise
            except Exception as error:  # noqa: BLE001 - whatever else comes out is a finding
                invocation.error = type(error).__name__
                self._report(actor, error)
            finally:
                invocation.over = True
                if caller is not None:
                    engine.wake(caller)

        engine.spawn(actor, live, delay_ms=delay_ms)

    def _report(self, actor: Actor, error: Exception) -> None:
        history = self._boundary.history
        told = f"{type(error).__name__}: {error}"
        history.found([Violation(invariant="S0", subject=actor.name, told=told, step=history.step)])
