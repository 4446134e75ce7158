"""Every place where an actor can die in the life of a pipeline, and every pair of places (method M3).

To die before a call is to die after the one before it, so that one kind of death at every call, and
one before the first call of an actor, are all there are. What is killed is whoever makes the call of
that number: the planner, the dispatcher, a callback, or the sweeper that repairs the first death.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from chalicelib.model import Host
from chalicelib.services.register_host import register_host
from chalicelib.services.sweep import sweep
from chalicelib.simulation.deliveries import Deliveries
from chalicelib.simulation.engine import Actor
from chalicelib.simulation.faults import Fault
from chalicelib.simulation.history import Violation
from chalicelib.simulation.rest import MINUTE_MS, come_to_rest
from chalicelib.simulation.world import Climate, World

__all__ = ["CrashRun", "Deaths", "run_with_deaths"]

_NO_CALLS_OF_ACTORS = frozenset({"invoke", "http"})


class Deaths:
    """A source of faults that kills at calls of given numbers, counted from 1."""

    def __init__(self, at: Collection[int], kind: Fault) -> None:
        self.on = False
        self.fired: Counter[tuple[str, Fault]] = Counter()
        self.calls = 0
        self._at = frozenset(at)
        self._kind = kind

    def draw(self, operation: str) -> Fault | None:
        """Return the death at this call, if it is one of those."""
        if operation in _NO_CALLS_OF_ACTORS:
            return None
        self.calls += 1
        if self.calls not in self._at:
            return None
        self.fired[operation, self._kind] += 1
        return self._kind


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashRun:
    """What came of a run: its calls until all was done, its deaths, and what did not hold.

    Attributes:
        calls: how many there were.
        died: operations at which an actor died.
        attempts: the most that a job of the pipeline took.
        violations: what did not hold.
        lines: the history, if it was kept.
    """

    calls: int
    died: tuple[str, ...]
    attempts: int
    violations: tuple[Violation, ...]
    lines: tuple[str, ...]


def run_with_deaths(
    at: Collection[int], *, jobs: str = "[a]", kind: Fault = Fault.KILL_AFTER, keep: bool = False
) -> CrashRun:
    """Push once, let the actors of these calls die, and let the sweeper put it right.

    Args:
        at: numbers of the calls at which actors die.
        jobs: those of the pipeline, as a config lists them.
        kind: whether they die before or after the call.
        keep: keep the history as text.
    """
    deaths = Deaths((), kind)
    world = World(1, keep=keep, faults=deaths, climate=Climate())
    deliveries = Deliveries(world)
    world.add_host("h1")
    host = Host(id="h1", slots=2)
    world.lambdas.invoke("register", lambda: register_host(world.berth, host), limit_s=60)
    world.engine.run(MINUTE_MS)
    deaths = world.faults = world.boundary.faults = Deaths(at, kind)

    event = deliveries.happen(kind="push", tenant="7", ref="refs/heads/main", jobs=jobs)
    deliveries.send(event, delay_ms=1)
    world.engine.spawn(Actor("clock"), lambda: _sweep_for_ever(world, deliveries))
    come_to_rest(world, deliveries)
    world.engine.close()
    return CrashRun(
        calls=deaths.calls,
        died=tuple(operation for operation, _ in deaths.fired),
        attempts=max((job.attempts for job in world.store.watch.rows.jobs.values()), default=0),
        violations=tuple(world.history.violations),
        lines=tuple(world.history.lines),
    )


def _sweep_for_ever(world: World, deliveries: Deliveries) -> None:
    while True:
        world.engine.pause(MINUTE_MS // 2)
        world.lambdas.invoke("sweep", lambda: sweep(world.berth), limit_s=60)
        world.engine.pause(MINUTE_MS // 2)
        deliveries.redeliver_missing()
