"""Rows and histories by hand, sound unless a test says otherwise."""

from typing import Any

from chalicelib.simulation.history import History
from chalicelib.simulation.snapshot import (
    Changed,
    HostRow,
    JobRow,
    PipelineRow,
    Snapshot,
    TenantRow,
    Write,
)

JOB = "a" * 16


def job(**changes: Any) -> JobRow:
    """Return a job that runs as the second attempt on host h1."""
    sound = JobRow(
        id=JOB,
        state="running",
        fence=2,
        attempts=2,
        tenant="7",
        pool="default",
        host="h1",
        pipeline="p",
        partition="",
        shard="0",
        outcome="",
        reason="",
        lease_ms=1,
        size=300,
    )
    return sound._replace(**changes)


def ready(**changes: Any) -> JobRow:
    """Return a job that waits in its lane for its second attempt."""
    return job(state="ready", fence=1, attempts=1, host="", partition="R#default#0")._replace(
        **changes
    )


def done(**changes: Any) -> JobRow:
    """Return the job as it succeeded."""
    return job(state="done", outcome="succeeded", reason=f"told by {JOB}-2")._replace(**changes)


def tenant(*jobs: str, **changes: Any) -> TenantRow:
    """Return a tenant of two slots that holds these jobs."""
    sound = TenantRow(
        id="7",
        shard="0",
        jobs=frozenset(jobs),
        limit=2,
        total=2,
        shards=1,
        partition="A#1",
        size=100,
    )
    return sound._replace(**changes)


def host(**changes: Any) -> HostRow:
    """Return host h1, with the running job in one of two slots."""
    sound = HostRow(id="h1", jobs={JOB: 2}, slots=2, state="up", generation="g", size=100)
    return sound._replace(**changes)


def snapshot(*jobs: JobRow, tenants: list[TenantRow], hosts: list[HostRow]) -> Snapshot:
    """Return a table of these rows, with the pipeline that they are of."""
    made = Snapshot(whole=True)
    for each in jobs:
        made.put("", each)
    for machine in hosts:
        made.put("", machine)
    for shard in tenants:
        made.put(f"T#{shard.id}#{shard.shard}", shard)
    made.put("", PipelineRow("p", "planned", "", "U", tuple(each.id for each in jobs)))
    return made


def history(*changes: tuple[JobRow | None, JobRow | None], **write: Any) -> History:
    """Return a history in which the job was claimed twice, and the last write did that."""
    made = History()
    made.claims[JOB] += [1, 2]
    made.claimed_ms |= {(JOB, 1): 10, (JOB, 2): 20}
    made.last = Write(jobs=tuple(Changed(*each) for each in changes), at_ms=30, **write)
    return made
