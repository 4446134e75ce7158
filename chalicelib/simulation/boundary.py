"""Where an actor leaves its machine: time passes, others go on, and something may break.

Every call to the outside goes through here: the store's requests and those of all other drivers.
"""

from collections.abc import Callable
from random import Random
from typing import TypeVar

from chalicelib.simulation.engine import Engine, Killed
from chalicelib.simulation.faults import Fault, FaultSource
from chalicelib.simulation.history import History

__all__ = ["Boundary"]

T = TypeVar("T")

_LONGEST_CALL_MS = 120
_SLOW_CALL = 0.02
_ZOMBIES_MS = ((3_000, 60_000), (100_000, 400_000))
"""Long enough that others go past, or longer than a lease and its grace."""


def _nobody_judges(job: str, fence: int) -> None:
    """Take an effect."""


class Boundary:
    """Carries calls out, under the seed's faults.

    Attributes:
        effect: told of each effect that names (job, fence), once it has happened.
    """

    def __init__(
        self, engine: Engine, faults: FaultSource, history: History, random: Random
    ) -> None:
        self.engine = engine
        self.faults = faults
        self.history = history
        self.random = random
        self.effect: Callable[[str, int], None] = _nobody_judges

    def call(
        self, operation: str, told: str, apply: Callable[[], T], broken: Callable[[], Exception]
    ) -> T:
        """Return what `apply` returns; raise what `broken` makes when the call is to fail.

        Args:
            operation: its name in `faults.MENU`.
            told: what the trace says of it.
            apply: does it, at once.
            broken: the driver's error for "no answer".
        """
        fault = self.faults.draw(operation)
        self.arrive(operation, told, fault)
        if fault is Fault.ERROR:
            raise broken()
        answer = apply()
        if fault is Fault.TWICE:
            self.travel()
            answer = apply()
        self.leave(fault)
        if fault is Fault.LOST:
            raise broken()
        return answer

    def note(self, what: str) -> None:
        """Add a line to the history, in the name of whoever's turn it is."""
        actor = self.engine.current
        self.history.note(self.engine.now_ms, actor.name if actor else "world", what)

    def travel(self) -> None:
        """Let the time of a message pass."""
        draw = self.random.random()
        longest = _LONGEST_CALL_MS * 20 if draw < _SLOW_CALL else _LONGEST_CALL_MS
        self.engine.pause(1 + int(draw * draw * longest))

    def arrive(self, operation: str, told: str, fault: Fault | None) -> None:
        """Let the request travel, unless its sender ends before; part of `call`."""
        self.travel()
        self.note(f"{operation} {told}{f'  !! {fault}' if fault else ''}")
        if fault is Fault.KILL_BEFORE:
            raise Killed
        if fault is Fault.ZOMBIE:
            self.freeze()

    def leave(self, fault: Fault | None) -> None:
        """Let the answer travel, unless its receiver has ended; part of `call`."""
        if fault is Fault.KILL_AFTER:
            raise Killed
        self.travel()

    def freeze(self) -> None:
        """Stop the actor's machine for long; its own deadline stands still too."""
        duration_ms = self.random.randint(*self.random.choice(_ZOMBIES_MS))
        actor = self.engine.current
        if actor is not None and actor.deadline_ms is not None:
            actor.deadline_ms += duration_ms
        self.engine.pause(duration_ms)
