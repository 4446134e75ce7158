"""Every place where an actor can be disturbed in the life of a pipeline, and every pair (method M3).

To die before a call is to die after the one before it, so that one kind of death at every call, and
one before the first call of an actor, are all there are. What is killed is whoever makes the call of
that number: the planner, the dispatcher, a callback, or the sweeper that repairs the first death.
Other faults, such as a lost answer, are tried in the same way.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from chalicelib.model import Host
from chalicelib.services.cancel_pipeline import cancel_pipeline
from chalicelib.services.register_host import register_host
from chalicelib.services.sweep import sweep
from chalicelib.simulation.deliveries import Deliveries, Event
from chalicelib.simulation.engine import Actor, uncollected
from chalicelib.simulation.faults import Fault
from chalicelib.simulation.history import Violation
from chalicelib.simulation.rest import MINUTE_MS, come_to_rest
from chalicelib.simulation.world import Climate, World

__all__ = ["CrashRun", "Disturbances", "harm_by_one_fault", "run_disturbed"]

_CANCEL_MS = 4_000
_CRASH_MS = 10_000
_LONGEST_PAUSE_MS = 7 * MINUTE_MS
_OF_HOSTS = {"make_container", "start_supervisor"}
"""A host that does not answer costs the attempt: nobody knows what it does."""
_NO_CALLS_OF_ACTORS = frozenset({"invoke", "http"})


class Disturbances:
    """A source of faults that strike at calls of given numbers, counted from 1.

    Attributes:
        calls: the operations that were called, in order.
    """

    def __init__(self, at: Collection[int], kind: Fault) -> None:
        self.on = False
        self.fired: Counter[tuple[str, Fault]] = Counter()
        self.calls: list[str] = []
        self._at = frozenset(at)
        self._kind = kind

    def draw(self, operation: str) -> Fault | None:
        """Return the fault if this call is one of those."""
        if operation in _NO_CALLS_OF_ACTORS:
            return None
        self.calls.append(operation)
        if len(self.calls) not in self._at:
            return None
        self.fired[operation, self._kind] += 1
        return self._kind


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashRun:
    """What came of a run: its calls until all was done, what befell them, and what did not hold.

    Attributes:
        operations: those that were called, in order.
        disturbed: operations that were.
        attempts: the most that a job of the pipeline took.
        violations: what did not hold.
        lines: the history, if it was kept.
    """

    operations: tuple[str, ...]
    disturbed: tuple[str, ...]
    attempts: int
    violations: tuple[Violation, ...]
    lines: tuple[str, ...]

    @property
    def calls(self) -> int:
        """Return how many calls there were."""
        return len(self.operations)


@uncollected()
def run_disturbed(
    at: Collection[int],
    *,
    jobs: str = "[a]",
    kind: Fault = Fault.KILL_AFTER,
    cancelled: bool = False,
    crashed: bool = False,
    keep: bool = False,
) -> CrashRun:
    """Push once, disturb these calls, and let the sweeper put it right.

    Args:
        at: numbers of the calls.
        jobs: those of the pipeline, as a config lists them.
        kind: what befalls them.
        cancelled: whether somebody cancels the pipeline some seconds later.
        crashed: whether somewhat later supervisors die, and then it is cancelled.
        keep: keep the history as text.
    """
    disturbances = Disturbances((), kind)
    world = World(1, keep=keep, faults=disturbances, climate=Climate())
    deliveries = Deliveries(world)
    world.add_host("h1")
    host = Host(id="h1", slots=2)
    world.lambdas.invoke("register", lambda: register_host(world.berth, host), limit_s=60)
    world.engine.run(MINUTE_MS)
    disturbances = world.faults = world.boundary.faults = Disturbances(at, kind)

    event = deliveries.happen(kind="push", tenant="7", ref="refs/heads/main", jobs=jobs)
    deliveries.send(event, delay_ms=1)
    world.engine.spawn(Actor("clock"), lambda: _sweep_for_ever(world, deliveries))
    if cancelled:
        world.engine.spawn(Actor("people"), lambda: _cancel(world, event), delay_ms=_CANCEL_MS)
    if crashed:
        world.engine.spawn(Actor("nature"), lambda: _crash(world, event), delay_ms=_CRASH_MS)
    come_to_rest(world, deliveries)
    if kind is Fault.ZOMBIE:
        world.engine.run(world.engine.now_ms + _LONGEST_PAUSE_MS)  # it may wake when all is over
    world.engine.close()
    return CrashRun(
        operations=tuple(disturbances.calls),
        disturbed=tuple(operation for operation, _ in disturbances.fired),
        attempts=max((job.attempts for job in world.store.watch.rows.jobs.values()), default=0),
        violations=tuple(world.history.violations),
        lines=tuple(world.history.lines),
    )


def _cancel(world: World, event: Event) -> None:
    pipeline = event.pipeline()
    world.lambdas.invoke("operator", lambda: cancel_pipeline(world.berth, pipeline), limit_s=30)


def _crash(world: World, event: Event) -> None:
    for machine in world.hosts.values():
        for supervisor in list(machine.supervisors.values()):
            supervisor.crash()
    _cancel(world, event)


def harm_by_one_fault() -> str:
    """Disturb each call in turn; return the first harm that this does, or nothing.

    A lost answer must not even cost an attempt: what the repeat meets is one's own work. Who pauses
    at any call while the pipeline is cancelled must find that out. And what is written so late that
    the job has ended meanwhile, must not be missing in the sealed log.
    """
    for at, operation in enumerate(run_disturbed([], crashed=True).operations, start=1):
        if operation != "PutItem":
            continue
        run = run_disturbed([at], crashed=True, kind=Fault.ZOMBIE)
        if run.violations:
            return str(run.violations[0])
    calls = run_disturbed([]).calls
    for at in range(1, calls + 1):
        paused = run_disturbed([at], kind=Fault.ZOMBIE, cancelled=True)
        if paused.violations:
            return str(paused.violations[0])
        run = run_disturbed([at], kind=Fault.LOST)
        if run.violations:
            return str(run.violations[0])
        if run.attempts > 1 and not _OF_HOSTS & set(run.disturbed):
            return f"L5 at call {at}: a lost answer of {run.disturbed[0]} cost an attempt"
    return ""


def _sweep_for_ever(world: World, deliveries: Deliveries) -> None:
    while True:
        world.engine.pause(MINUTE_MS // 2)
        world.lambdas.invoke("sweep", lambda: sweep(world.berth), limit_s=60)
        world.engine.pause(MINUTE_MS // 2)
        deliveries.redeliver_missing()
