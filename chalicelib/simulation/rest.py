"""Lets a world that has no more trouble come to rest, and judges what is left then."""

from chalicelib.clock import to_ms
from chalicelib.model import JobState, PipelineState
from chalicelib.simulation.deliveries import Deliveries
from chalicelib.simulation.engine import START
from chalicelib.simulation.liveness import (
    LONGEST_WAIT_MINUTES,
    Remains,
    unfinished,
    waiting_with_room,
)
from chalicelib.simulation.world import World

__all__ = ["MINUTE_MS", "come_to_rest"]

MINUTE_MS = 60_000
_LONGEST_MINUTES = 90


def come_to_rest(world: World, deliveries: Deliveries) -> None:
    """Let minutes pass until nothing is left to do, or for too long; then ask all of liveness."""
    for _ in range(_LONGEST_MINUTES):
        world.engine.run(world.engine.now_ms + MINUTE_MS)
        _count_waits(world)
        if _is_quiet(world, deliveries) or world.history.violations:
            break
    remains = _remains(world, deliveries)
    world.history.found(unfinished(world.store.watch.whole(), world.history, remains))


def _count_waits(world: World) -> None:
    unix_ms = to_ms(START) + world.engine.now_ms
    waiting = waiting_with_room(world.store.watch.rows, unix_ms)
    waits = world.history.waits
    for job in [job for job in waits if job not in waiting and waits[job] <= LONGEST_WAIT_MINUTES]:
        del waits[job]
    waits.update(waiting)


def _is_quiet(world: World, deliveries: Deliveries) -> bool:
    rows, remains = world.store.watch.rows, _remains(world, deliveries)
    held = any(row.jobs for row in rows.tenants.values())
    held = held or any(row.jobs for row in rows.hosts.values())
    over = all(row.state == PipelineState.ENDED for row in rows.pipelines.values())
    done = all(row.state == JobState.DONE for row in rows.jobs.values())
    left = remains.unanswered or remains.containers or remains.executions
    return over and done and not held and not left


def _remains(world: World, deliveries: Deliveries) -> Remains:
    return Remains(
        unanswered=tuple(event.name for event in deliveries.missing()),
        containers=tuple(
            attempt
            for machine in world.hosts.values()
            for attempt in sorted({*machine.containers, *machine.directories, *machine.supervisors})
        ),
        executions=tuple(execution.name for execution in world.machine.open()),
        max_attempts=world.berth.policy.max_attempts,
    )
