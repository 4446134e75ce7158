"""Liveness L1 to L9: asked once the world has healed and sweeps have gone on until all was quiet.

Pure functions of (all of the table, history, what is left outside), like the invariants.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from chalicelib.model import HostState, JobState, PipelineState
from chalicelib.simulation.history import History, Violation
from chalicelib.simulation.snapshot import Snapshot

__all__ = [
    "LIVENESS",
    "LONGEST_WAIT_MINUTES",
    "Liveness",
    "Remains",
    "l1_answered",
    "l2_done",
    "l3_nothing_left",
    "l4_no_waiting",
    "l5_attempts",
    "unfinished",
    "waiting_with_room",
]

LONGEST_WAIT_MINUTES = 3
"""Two sweeps, and the two minutes after which a READY job that the index misses is claimed by key."""

_Found = Iterator[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What there is outside the table at the end.

    Attributes:
        unanswered: events whose delivery was never answered with 2xx.
        containers: attempts that still have a container, files or a supervisor.
        executions: names of those that have not ended.
        max_attempts: the policy's.
    """

    unanswered: tuple[str, ...] = ()
    containers: tuple[tuple[str, int], ...] = ()
    executions: tuple[str, ...] = ()
    max_attempts: int = 3


Liveness = Callable[[Snapshot, History, Remains], _Found]


def l1_answered(now: Snapshot, history: History, remains: Remains) -> _Found:
    """Every event was answered with a pipeline, and that pipeline is there."""
    for event in remains.unanswered:
        yield event, "was never answered"
    for event, pipelines in history.acknowledged.items():
        if not pipelines <= now.pipelines.keys():
            yield event, f"was answered {sorted(pipelines)}, which is not there"


def l2_done(now: Snapshot, history: History, remains: Remains) -> _Found:
    """Every job of every pipeline is DONE, and every pipeline has ended."""
    del history, remains
    for pipeline in now.pipelines.values():
        if pipeline.state != PipelineState.ENDED:
            yield pipeline.id, f"is {pipeline.state}"
        for job in pipeline.jobs:
            row = now.jobs.get(job)
            if row is None or row.state != JobState.DONE:
                yield job, f"is {row.state if row else 'waiting'} at the end"


def l3_nothing_left(now: Snapshot, history: History, remains: Remains) -> _Found:
    """All sets of slots are empty; no container, file or open execution is left."""
    del history
    for key, tenant in now.tenants.items():
        if tenant.jobs:
            yield key, f"still holds {sorted(tenant.jobs)}"
    for host in now.hosts.values():
        if host.jobs:
            yield host.id, f"still holds {sorted(host.jobs)}"
    for job, fence in remains.containers:
        yield job, f"attempt {fence} is still on its host"
    for name in remains.executions:
        yield name, "its execution is still open"


def l4_no_waiting(now: Snapshot, history: History, remains: Remains) -> _Found:
    """No job waits while there is room for it: not for its tenant's slot, nor for a host's."""
    del now, remains
    for job, minutes in history.waits.items():
        if minutes > LONGEST_WAIT_MINUTES:
            yield job, f"waited {minutes} minutes although there was room"


def waiting_with_room(now: Snapshot, unix_ms: int) -> set[str]:
    """Return the jobs that wait at that time although nothing is in their way."""
    shut = {row.id for row in now.pools.values() if row.paused or row.closed_until_ms > unix_ms}
    room = any(
        host.state == HostState.UP and len(host.jobs) < host.slots for host in now.hosts.values()
    )
    found = set()
    for job in now.jobs.values():
        if job.state == JobState.READY and room and not shut & {"*", job.pool}:
            found.add(job.id)
        if job.state == JobState.PENDING and _tenant_has_room(now, job.tenant):
            found.add(job.id)
    return found


def _tenant_has_room(now: Snapshot, tenant: str) -> bool:
    shards = now.shards_of(tenant)
    return bool(shards) and sum(len(row.jobs) for row in shards) < shards[0].total


def l5_attempts(now: Snapshot, history: History, remains: Remains) -> _Found:
    """No job had more attempts than the policy allows, and none more than it had claims."""
    for job in now.jobs.values():
        claims = len(history.claims.get(job.id, ()))
        if job.attempts > min(remains.max_attempts, claims):
            yield job.id, f"had {job.attempts} attempts of {remains.max_attempts}, {claims} claims"


LIVENESS: Mapping[str, Liveness] = {
    "L1": l1_answered,
    "L2": l2_done,
    "L3": l3_nothing_left,
    "L4": l4_no_waiting,
    "L5": l5_attempts,
}


def unfinished(now: Snapshot, history: History, remains: Remains) -> list[Violation]:
    """Return what does not hold."""
    return [
        Violation(invariant=name, subject=subject, told=told, step=history.step)
        for name, check in LIVENESS.items()
        for subject, told in check(now, history, remains)
    ]
