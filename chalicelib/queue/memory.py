"""The verified fake of the queue: the same contract, in this process's memory.

`tests/contract/test_queue.py` holds it equal to the drivers. One lock makes every call atomic.
A test that wants faults wraps it: everything goes through `JobQueue`'s methods.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from chalicelib.errors import NotFoundError
from chalicelib.model import (
    HOLDS_SLOT,
    LIVE,
    TRANSITIONS,
    Event,
    Host,
    HostState,
    Job,
    JobState,
    Outcome,
    Tenant,
)
from chalicelib.queue.memory_pipelines import Locked, MemoryPipelines, atomic, stored_time
from chalicelib.queue.protocol import Admission, Lane, NewJob
from chalicelib.queue.stamp import fair_stamp

__all__ = ["MemoryPipelines", "MemoryQueue"]

_ATTEMPT_HOPS = ("claimed", "dispatched", "bound", "started")
_CARRIED_HOPS = ("dispatched", "started")
_HOPS = ("admitted", "ready", *_ATTEMPT_HOPS, "finished")
_MAX_REASON = 300


class MemoryQueue(Locked):
    """`protocol.JobQueue` in memory. Safe to share between threads."""

    def __init__(self, *, default_limit: int = 8) -> None:
        """Start empty; `default_limit` holds for tenants that nobody gave a limit."""
        super().__init__()
        self._default_limit = default_limit
        self._jobs: dict[str, Job] = {}
        self._priority_s: dict[str, int] = {}
        self._tenants: dict[str, Tenant] = {}
        self._hosts: dict[str, Host] = {}
        self._sweep: tuple[datetime, datetime] | None = None

    @atomic
    def admit(self, job: NewJob, *, now: datetime) -> Admission:
        """Take the tenant's slot and make the job READY, or PENDING when the tenant is full."""
        if job.id in self._jobs:
            return Admission.EXISTS
        tenant = self._tenants.setdefault(
            job.tenant, Tenant(id=job.tenant, limit=self._default_limit)
        )
        self._priority_s[job.id] = job.priority_s
        self._jobs[job.id] = Job(
            id=job.id,
            name=job.name,
            pipeline=job.pipeline,
            tenant=job.tenant,
            delivery=job.delivery,
            pool=job.pool,
            state=JobState.PENDING,
            stamp=self._stamp(job.id, tenant, now),
            hops={"admitted": stored_time(now)},
        )
        return Admission.READY if self._promote(job.id, now) else Admission.PENDING

    @atomic
    def promote(self, tenant: str, *, now: datetime) -> str | None:
        """PENDING → READY for the head of the tenant's backlog, if it has room; return its id."""
        backlog = [
            job
            for job in self._jobs.values()
            if job.tenant == tenant and job.state is JobState.PENDING
        ]
        head = min(backlog, key=_place, default=None)
        return head.id if head is not None and self._promote(head.id, now) else None

    @atomic
    def ready(self, pool: str, *, limit: int = 10) -> Sequence[Lane]:
        """Return the first entries of the pool's lane, best stamp first."""
        lane = [
            job for job in self._jobs.values() if job.pool == pool and job.state is JobState.READY
        ]
        return [Lane(job=job.id, stamp=job.stamp) for job in sorted(lane, key=_place)[:limit]]

    @atomic
    def claim(
        self, job: str, *, host: Host, nonce: str, lease_until: datetime, now: datetime
    ) -> Job | None:
        """READY → LEASED with fence + 1, and the host's slot."""
        seen = self._jobs.get(job)
        if seen is None or seen.owner == nonce:
            return seen
        kept = self._hosts.get(host.id)
        if seen.state is not JobState.READY or kept is None or not _takes(kept, host):
            return None
        fence = seen.fence + 1
        self._hosts[host.id] = replace(kept, jobs={**kept.jobs, job: fence})
        return self._move(
            seen,
            Event.CLAIM,
            fence=fence,
            attempts=seen.attempts + 1,
            owner=nonce,
            host=host.id,
            lease_until=stored_time(lease_until),
            hops=_without(seen.hops, _ATTEMPT_HOPS) | {"claimed": stored_time(now)},
        )

    @atomic
    def bind(
        self,
        job: str,
        *,
        fence: int,
        host: str,
        lease_until: datetime,
        now: datetime,
        hops: Mapping[str, datetime] | None = None,
    ) -> Job | None:
        """LEASED, or RUNNING on this host, with this fence → RUNNING."""
        seen = self._current(job, fence, JobState.LEASED, JobState.RUNNING)
        if seen is None or seen.host != host:
            return None
        passed = {"bound": stored_time(now), **_carried(hops), **seen.hops}
        return self._move(
            seen, Event.BIND, owner=host, lease_until=stored_time(lease_until), hops=passed
        )

    @atomic
    def heartbeat(self, job: str, *, fence: int, lease_until: datetime) -> JobState | None:
        """Renew the lease of a RUNNING or CANCELLING attempt."""
        seen = self._current(job, fence, JobState.RUNNING, JobState.CANCELLING)
        if seen is None:
            return None
        self._jobs[job] = replace(seen, lease_until=stored_time(lease_until))
        return seen.state

    @atomic
    def finish(
        self,
        job: str,
        *,
        fence: int,
        outcome: Outcome,
        reason: str,
        now: datetime,
        hops: Mapping[str, datetime] | None = None,
    ) -> Job | None:
        """LEASED, RUNNING or CANCELLING with this fence → DONE; frees both slots."""
        seen = self._current(job, fence, *LIVE, JobState.DONE)
        if seen is None or not seen.host:
            return None
        if seen.state is JobState.DONE:
            return seen
        if seen.state is JobState.CANCELLING:
            outcome, reason = Outcome.CANCELLED, seen.reason or reason
        self._leave_host(seen)
        return self._end(seen, Event.FINISH, outcome, reason, {**_carried(hops), "finished": now})

    @atomic
    def release(self, job: str, *, fence: int, reason: str, now: datetime) -> bool:
        """LEASED with this fence → READY with the old stamp; the attempt is not charged."""
        seen = self._current(job, fence, JobState.LEASED)
        if seen is None:
            return self._is_back(job, fence)
        self._back(replace(seen, attempts=seen.attempts - 1), Event.RELEASE, reason, now)
        return True

    @atomic
    def requeue(self, job: Job, *, reason: str, now: datetime) -> bool:
        """LEASED or RUNNING → READY with the old stamp, if fence and lease are still as in `job`."""
        if not job.live or job.lease_until is None:
            return False
        seen = self._current(job.id, job.fence, JobState.LEASED, JobState.RUNNING)
        if seen is None or seen.lease_until != stored_time(job.lease_until):
            return self._is_back(job.id, job.fence)
        self._back(seen, Event.REQUEUE, reason, now)
        return True

    @atomic
    def cancel(self, job: str, *, outcome: Outcome, reason: str, now: datetime) -> Job | None:
        """Cancel in any state; return the job as it is afterwards, None if there is none."""
        seen = self._jobs.get(job)
        if seen is None or seen.state in {JobState.DONE, JobState.CANCELLING}:
            return seen
        if seen.live:
            return self._move(seen, Event.CANCEL, reason=reason[:_MAX_REASON])
        return self._end(seen, Event.CANCEL, outcome, reason, {"finished": now})

    @atomic
    def get_job(self, job: str) -> Job | None:
        """Return the job."""
        return self._jobs.get(job)

    @atomic
    def get_jobs(self, jobs: Iterable[str]) -> Mapping[str, Job]:
        """Return those of the jobs that exist, by id."""
        return {job: self._jobs[job] for job in jobs if job in self._jobs}

    def live_jobs(self) -> Iterator[Job]:
        """Yield every job that holds a tenant's slot."""
        with self._lock:
            found = [job for job in self._jobs.values() if job.state in HOLDS_SLOT]
        yield from found

    def pending_tenants(self) -> Iterator[str]:
        """Yield every tenant that may have a backlog."""
        with self._lock:
            found = list(self._tenants)
        yield from found

    @atomic
    def get_tenant(self, tenant: str) -> Tenant | None:
        """Return the tenant; None before its first job."""
        return self._tenants.get(tenant)

    @atomic
    def put_tenant_limit(self, tenant: str, *, limit: int, weight: int = 1) -> None:
        """Create the tenant or change its limit; may go below what runs."""
        seen = self._tenants.get(tenant) or Tenant(id=tenant, limit=limit)
        self._tenants[tenant] = replace(seen, limit=limit, weight=weight)

    @atomic
    def register_host(self, host: Host) -> Host:
        """Create or update a host. Its jobs are kept."""
        seen = self._hosts.get(host.id)
        self._hosts[host.id] = replace(host, jobs=seen.jobs if seen else {})
        return self._hosts[host.id]

    @atomic
    def set_host_state(self, host: str, state: HostState) -> None:
        """Change whether the host takes jobs. An unknown host raises `NotFoundError`."""
        if host not in self._hosts:
            raise NotFoundError(reason=f"no host {host}")
        self._hosts[host] = replace(self._hosts[host], state=state)

    @atomic
    def get_host(self, host: str) -> Host | None:
        """Return the host."""
        return self._hosts.get(host)

    @atomic
    def hosts(self, pool: str) -> Sequence[Host]:
        """Return all hosts of the pool, by id."""
        return [host for _, host in sorted(self._hosts.items()) if host.pool == pool]

    @atomic
    def note_sweep(self, *, now: datetime, longest_gap: timedelta) -> datetime:
        """Record that the sweeper passes now; return since when it has passed without a gap."""
        last = self._sweep
        on_time = last is not None and last[0] >= stored_time(now - longest_gap)
        since = last[1] if last is not None and on_time else stored_time(now)
        self._sweep = (stored_time(now), since)
        return since

    def _current(self, job: str, fence: int, *states: JobState) -> Job | None:
        seen = self._jobs.get(job)
        return seen if seen and seen.fence == fence and seen.state in states else None

    def _move(self, seen: Job, event: Event, **changes: object) -> Job:
        state = TRANSITIONS[seen.state, event]
        moved: Job = replace(seen, state=state, **changes)  # type: ignore[arg-type]
        hops = {hop: moved.hops[hop] for hop in _HOPS if hop in moved.hops}
        self._jobs[seen.id] = replace(moved, hops=hops)
        return self._jobs[seen.id]

    def _end(
        self,
        seen: Job,
        event: Event,
        outcome: Outcome,
        reason: str,
        hops: Mapping[str, datetime],
    ) -> Job:
        tenant = self._tenants[seen.tenant]
        self._tenants[seen.tenant] = replace(tenant, jobs=tenant.jobs - {seen.id})
        passed = {hop: stored_time(at) for hop, at in hops.items()} | dict(seen.hops)
        return self._move(
            seen,
            event,
            owner="",
            lease_until=None,
            outcome=outcome,
            reason=reason[:_MAX_REASON],
            hops=passed,
        )

    def _back(self, seen: Job, event: Event, reason: str, now: datetime) -> None:
        self._leave_host(seen)
        self._move(
            seen,
            event,
            owner="",
            host="",
            lease_until=None,
            reason=reason[:_MAX_REASON],
            hops=_without(seen.hops, _ATTEMPT_HOPS) | {"ready": stored_time(now)},
        )

    def _is_back(self, job: str, fence: int) -> bool:
        return fence > 0 and self._current(job, fence, JobState.READY) is not None

    def _leave_host(self, seen: Job) -> None:
        host = self._hosts[seen.host]
        self._hosts[host.id] = replace(host, jobs=_without(host.jobs, (seen.id,)))

    def _promote(self, job: str, now: datetime) -> bool:
        seen = self._jobs[job]
        tenant = self._tenants[seen.tenant]
        if len(tenant.jobs) >= tenant.limit:
            return False
        stamp = self._stamp(job, tenant, now)
        self._tenants[tenant.id] = replace(tenant, jobs=tenant.jobs | {job})
        self._move(seen, Event.PROMOTE, stamp=stamp, hops={**seen.hops, "ready": stored_time(now)})
        return True

    def _stamp(self, job: str, tenant: Tenant, now: datetime) -> int:
        return fair_stamp(
            now=now,
            priority_s=self._priority_s[job],
            slots_in_use=len(tenant.jobs),
            weight=tenant.weight,
        )


def _place(job: Job) -> tuple[int, str]:
    return job.stamp, job.id


def _takes(kept: Host, seen: Host) -> bool:
    up = kept.state is HostState.UP and kept.generation == seen.generation
    return up and len(kept.jobs) < kept.slots


def _carried(hops: Mapping[str, datetime] | None) -> dict[str, datetime]:
    return {hop: stored_time(at) for hop, at in (hops or {}).items() if hop in _CARRIED_HOPS}


_V = TypeVar("_V")


def _without(entries: Mapping[str, _V], names: Iterable[str]) -> dict[str, _V]:
    gone = frozenset(names)
    return {name: value for name, value in entries.items() if name not in gone}
