"""Say why a job is not running, in one sentence with facts, and when it passed each hop."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.model import (
    Host,
    HostState,
    Job,
    JobRef,
    JobState,
    Pipeline,
    PipelineState,
    waiting_for,
)
from chalicelib.queue.protocol import Lane
from chalicelib.services.context import Berth
from chalicelib.services.find_job import find_job

__all__ = ["Explained", "explain_job", "why"]

_LOOKED_AT = 100
"""Entries of a queue that are counted to say how many are ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A job, why it is not running, and its timeline.

    Attributes:
        job: as it is; without an item it is WAITING.
        sentence: one sentence; empty for a job that runs.
        timeline: (hop, time) in order, from the delivery on.
        needs: the jobs that have to succeed before it is admitted.
    """

    job: Job
    sentence: str
    timeline: tuple[tuple[str, datetime], ...]
    needs: tuple[JobRef, ...] = ()


def explain_job(berth: Berth, job_id: str) -> Explained:
    """Return all that is known of a job's way.

    Raises:
        NotFoundError: there is no such job.
        StoreUnavailableError: the store did not answer.
    """
    job = find_job(berth, job_id)
    pipeline = berth.pipelines.get_pipeline(job.pipeline)
    before = []
    if pipeline is not None:
        before.append(("received", pipeline.received_at))
        if pipeline.planned_at is not None:
            before.append(("planned", pipeline.planned_at))
    return Explained(
        job=job,
        sentence=why(berth, job, pipeline),
        timeline=(*before, *job.hops.items()),
        needs=_needs(job, pipeline),
    )


def _needs(job: Job, pipeline: Pipeline | None) -> tuple[JobRef, ...]:
    refs = {ref.id: ref for ref in pipeline.jobs} if pipeline else {}
    own = refs.get(job.id)
    return tuple(refs[need] for need in own.needs if need in refs) if own else ()


def why(berth: Berth, job: Job, pipeline: Pipeline | None) -> str:
    """Return one sentence on why the job is not running; empty for a RUNNING one.

    Reads what the job's state depends on and nothing else: two to four reads.
    """
    match job.state:
        case JobState.WAITING:
            return _waits_for_jobs(berth, job, pipeline)
        case JobState.PENDING:
            return _waits_for_tenant(berth, job)
        case JobState.READY:
            return _waits_for_host(berth, job)
        case _:
            return _is_no_longer_queued(job)


def _is_no_longer_queued(job: Job) -> str:
    match job.state:
        case JobState.LEASED:
            since = job.hops["claimed"].strftime("%H:%M:%S UTC")
            return f"its container is being made on {job.host} since {since}"
        case JobState.CANCELLING:
            return f"it is being stopped on {job.host}: {job.reason}"
        case JobState.DONE:
            ended = job.outcome.value.replace("_", " ") if job.outcome else "ended"
            return f"{ended}: {job.reason}" if job.reason else ended
        case _:
            return ""


def _waits_for_jobs(berth: Berth, job: Job, pipeline: Pipeline | None) -> str:
    ref = next((ref for ref in pipeline.jobs if ref.id == job.id), None) if pipeline else None
    if pipeline is None or ref is None:
        return "its pipeline is gone"
    if pipeline.state is PipelineState.ENDED:
        return "its pipeline has ended"
    jobs = berth.queue.get_jobs(ref.needs)
    names = {each.id: each.name for each in pipeline.jobs}
    missing = waiting_for(ref, jobs)
    if not missing:
        return "all that it needs has succeeded; it is admitted by the next sweep"
    told = [
        f"{names.get(need, need)} ({jobs[need].state.value if need in jobs else 'waiting'})"
        for need in missing
    ]
    return "needs " + _listed(told)


def _waits_for_tenant(berth: Berth, job: Job) -> str:
    tenant = berth.queue.get_tenant(job.tenant)
    if tenant is None:
        return "its tenant's record is missing; the next sweep promotes it"
    ahead = _ahead(berth.queue.backlog(job.tenant, limit=_LOOKED_AT), job)
    if len(tenant.jobs) < tenant.limit:
        return f"tenant {tenant.id} has room again; the next sweep promotes it{ahead}"
    return f"tenant {tenant.id} at {len(tenant.jobs)} of {tenant.limit} slots{ahead}"


def _waits_for_host(berth: Berth, job: Job) -> str:
    before = f"; last attempt: {job.reason}" if job.reason else ""
    barrier = berth.queue.get_pool(job.pool).barrier(berth.clock.now())
    if barrier:
        return f"pool {job.pool}: {barrier}{before}"
    hosts = berth.queue.hosts(job.pool)
    up = [host for host in hosts if host.state is HostState.UP]
    if not up:
        return f"pool {job.pool}: no host is up{_others(hosts)}{before}"
    taken, slots = sum(len(host.jobs) for host in up), sum(host.slots for host in up)
    ahead = _ahead(berth.queue.ready(job.pool, limit=_LOOKED_AT), job)
    if taken >= slots:
        count = f"{len(up)} host" + ("s" if len(up) > 1 else "")
        return f"pool {job.pool}: {taken} of {slots} slots taken on {count}{ahead}{before}"
    return f"pool {job.pool} has room; the next sweep claims it{ahead}{before}"


def _others(hosts: Sequence[Host]) -> str:
    if not hosts:
        return ", and none is registered"
    states = sorted(host.state.value for host in hosts)
    counts = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
    return f" ({_listed(counts)})"


def _ahead(entries: Sequence[Lane], job: Job) -> str:
    """Return how many entries stand before the job's: by the index, which may lag a moment."""
    before = [entry for entry in entries if (entry.stamp, entry.job) < (job.stamp, job.id)]
    if not before:
        return "; it is next"
    more = "at least " if len(before) >= _LOOKED_AT else ""
    return f"; {more}{len(before)} ahead of it"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
