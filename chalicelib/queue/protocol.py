"""The contracts of the store: the transactional queue and the record of pipelines.

Every write names the state and the fence it expects and fails otherwise. "False" and "None" mean
that the condition did not hold, which is ordinary: somebody else was faster. Every call may be
repeated; a repeat after a lost answer gives the answer that the first one would have given (the
drivers compare nonces and fences, queue protocol rule 1.4b).

Every method raises `StoreUnavailableError` when the store does not answer or a conflict outlasts
the driver's own retries; then nothing is known, and the caller repeats or gives up.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from chalicelib.model import (
    Group,
    Host,
    HostState,
    Job,
    JobRef,
    JobSpec,
    JobState,
    Outcome,
    Pipeline,
    PipelineState,
    Pool,
    Tenant,
)

__all__ = ["Admission", "JobQueue", "Lane", "NewJob", "PipelinePage", "PipelineStore"]


class Admission(StrEnum):
    """What became of a job that asked for its tenant's slot."""

    READY = "ready"
    PENDING = "pending"
    EXISTS = "exists"  # it was admitted before: the delivery or the planner was repeated


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """What `admit` needs to know. `priority_s` is a time credit: negative goes earlier."""

    id: str
    name: str
    pipeline: str
    tenant: str
    delivery: str = ""
    pool: str = "default"
    priority_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One entry of the ready queue, as the index shows it: a hint, never a right."""

    job: str
    stamp: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelinePage:
    """Pipelines, newest first. `next` is the cursor of the page after, or None at the end."""

    pipelines: tuple[Pipeline, ...]
    next: str | None


class PipelineStore(Protocol):
    """The record of pipelines and the specs of their jobs."""

    def put_pipeline(self, pipeline: Pipeline) -> bool:
        """Store a RECEIVED pipeline if its id is new; return whether it was. One write unit + index."""
        ...

    def get_pipeline(self, pipeline: str) -> Pipeline | None:
        """Return the pipeline, read consistently."""
        ...

    def list_pipelines(self, *, limit: int = 25, cursor: str | None = None) -> PipelinePage:
        """Return a page, newest first. A malformed cursor raises `PayloadError`."""
        ...

    def open_pipelines(
        self, *, before: datetime, since: datetime | None = None, limit: int = 25
    ) -> Sequence[Pipeline]:
        """Return pipelines that have not ended, received before one time and since another.

        Oldest first. `before` is exclusive, `since` inclusive.
        """
        ...

    def put_specs(self, pipeline: str, specs: Mapping[str, JobSpec]) -> None:
        """Store the spec of each job id; identical on a repeat, since planning is pure."""
        ...

    def get_spec(self, job: str) -> JobSpec | None:
        """Return the spec of a job."""
        ...

    def pipeline_of(self, job: str) -> str | None:
        """Return the id of the pipeline that planned the job, WAITING ones too."""
        ...

    def mark_planned(self, pipeline: str, *, jobs: Sequence[JobRef], now: datetime) -> bool:
        """RECEIVED → PLANNED with these jobs; False if it was not RECEIVED.

        Called before the jobs are admitted, so that a pipeline never lacks a job that runs.
        """
        ...

    def end_pipeline(
        self,
        pipeline: str,
        *,
        seen: PipelineState,
        outcome: Outcome,
        reason: str,
        now: datetime,
    ) -> bool:
        """RECEIVED or PLANNED → ENDED, if it is as seen; False if it was not.

        A RECEIVED one that is ended never has jobs; a PLANNED one is ended once all its jobs are.
        """
        ...


class JobQueue(Protocol):
    """The queue: one item per job is queue entry, lease and record."""

    def admit(self, job: NewJob, *, now: datetime) -> Admission:
        """Take the tenant's slot and make the job READY, or PENDING when the tenant is full.

        The stamp is `now + priority + slots in use x quantum / weight`. A PENDING job gets one
        self-promote at once, which closes most of the lost-wake-up window.
        """
        ...

    def skip(self, job: NewJob, *, outcome: Outcome, reason: str, now: datetime) -> bool:
        """WAITING → DONE for a job that will never run; False if it was admitted, or is DONE.

        One write unit. It and `admit` are puts of the same absent item, so one of them wins.
        """
        ...

    def promote(self, tenant: str, *, now: datetime) -> str | None:
        """PENDING → READY for the head of the tenant's backlog, if it has room; return its id."""
        ...

    def backlog(self, tenant: str, *, limit: int = 10) -> Sequence[Lane]:
        """Return the first entries of the tenant's backlog, in the order they are promoted."""
        ...

    def ready(self, pool: str, *, limit: int = 10) -> Sequence[Lane]:
        """Return entries of the pool's lanes, best stamp first.

        Of more than two lanes a random pair is looked at, and more only while entries are missing:
        the cost does not grow with the lanes. All of them when `limit` is not reached.
        """
        ...

    def claim(
        self, job: str, *, host: Host, nonce: str, lease_until: datetime, now: datetime
    ) -> Job | None:
        """READY → LEASED with fence + 1, and the host's slot, in one transaction.

        The host must be UP, of the generation seen in `host`, and have a free slot. `nonce` is
        fresh for each call; a lost answer is recognised by it. Returns the job as claimed, or
        None when job or host had changed.
        """
        ...

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
        """LEASED, or RUNNING on this host, with this fence → RUNNING. None: the attempt is lost.

        One write unit. `host` is the one that was claimed. `hops` are times of `dispatched` and
        `started`, which ride along; a hop once recorded stays.
        """
        ...

    def heartbeat(self, job: str, *, fence: int, lease_until: datetime) -> JobState | None:
        """Renew the lease of a RUNNING or CANCELLING attempt; return its state. None: lost.

        One write unit. The caller learns of a cancel from the returned state.
        """
        ...

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
        """LEASED, RUNNING or CANCELLING with this fence → DONE; frees tenant and host slot.

        One transaction. A CANCELLING job ends with the outcome and the reason of the cancel,
        whatever `outcome` and `reason` say. Returns the job as it is once DONE by this fence, also
        on a repeat; None when the fence is lost. The caller then calls `promote`. `hops` as in
        `bind`.
        """
        ...

    def release(self, job: str, *, fence: int, reason: str, now: datetime) -> bool:
        """LEASED with this fence → READY with the old stamp; the attempt is not charged.

        Frees the host's slot in the same transaction. True also on a repeat.
        """
        ...

    def requeue(self, job: Job, *, reason: str, now: datetime) -> bool:
        """LEASED or RUNNING → READY with the old stamp, if fence and lease are still as in `job`.

        Frees the host's slot in the same transaction; the tenant's stays taken.
        """
        ...

    def cancel(self, job: str, *, outcome: Outcome, reason: str, now: datetime) -> Job | None:
        """Cancel in any state; return the job as it is afterwards, None if there is none.

        PENDING and READY end at once with `outcome` (CANCELLED, SUPERSEDED or TIMED_OUT); LEASED and
        RUNNING become CANCELLING and keep their slots until the attempt is gone; DONE stays. The
        first cancel decides. The caller calls `promote` when the job was READY.
        """
        ...

    def get_job(self, job: str) -> Job | None:
        """Return the job, read consistently."""
        ...

    def get_jobs(self, jobs: Iterable[str]) -> Mapping[str, Job]:
        """Return those of the jobs that exist, by id."""
        ...

    def live_jobs(self) -> Iterator[Job]:
        """Yield every job that holds a tenant's slot (READY and live ones), through active tenants."""
        ...

    def active_tenants(self) -> Iterator[Tenant]:
        """Yield every tenant that may have jobs, waiting or live; read consistently."""
        ...

    def forget_idle(self, tenant: str, *, before: datetime) -> bool:
        """Take a tenant that has had no slot since that time out of the active ones.

        It comes back with its next slot. False when it has a slot, a backlog, or had one since.
        """
        ...

    def get_tenant(self, tenant: str) -> Tenant | None:
        """Return the tenant; None before its first job."""
        ...

    def put_tenant_limit(self, tenant: str, *, limit: int, weight: int = 1) -> Tenant:
        """Create the tenant or change its limit, at once; may go below what runs.

        Raises:
            PayloadError: the limit is not 0 to 4,000, or the weight not 1 to 1,000.
        """
        ...

    def settle_limit(self, tenant: str) -> bool:
        """Divide a tenant's limit anew over its shards, now that some hold less; return whether.

        After a limit was lowered below what ran, the shards together allow less than the limit
        until this is called: the sweeper does.
        """
        ...

    def get_pool(self, pool: str) -> Pool:
        """Return the pool; one that nobody registered has the defaults. Read consistently."""
        ...

    def pools(self) -> Sequence[str]:
        """Return the names of the pools that have, or had, hosts."""
        ...

    def put_pool_lanes(self, pool: str, *, lanes: int, now: datetime) -> None:
        """Set how many lanes the pool's jobs are spread over, 1 to 64. Jobs stay where they are."""
        ...

    def settle_lanes(self, pool: str, *, now: datetime) -> bool:
        """Stop reading lanes that were given up five minutes ago and are empty; return whether."""
        ...

    def pause(self, pool: str | None, *, reason: str) -> None:
        """Let no job of the pool be claimed, or with None no job at all; "" lets them again."""
        ...

    def note_failure(self, pool: str, *, reason: str, now: datetime) -> Pool:
        """Count an attempt that was lost before its container ran.

        From the third in a row on, the breaker closes the pool for 30 s, and twice as long with
        each further one, up to 15 minutes.
        """
        ...

    def note_success(self, pool: str) -> None:
        """Open the breaker: a container ran. One write unit; call it when there are failures."""
        ...

    def get_group(self, group: str) -> Group | None:
        """Return the newest pipeline of a ref, read consistently."""
        ...

    def advance_group(
        self, group: str, *, seen: str, sha: str, pipeline: str, now: datetime
    ) -> Group:
        """Make `sha` the newest head if the newest is `seen`, or none; return the group after.

        `pipeline` is that of `sha`, or empty while it is not known; it is filled in by a later call
        for the same `sha`. A repeat changes nothing. One write unit.
        """
        ...

    def register_host(self, host: Host) -> Host:
        """Create or update a host: slots, state, generation, address. Its jobs are kept.

        One that is being drained stays so: only who drained it ends that.
        """
        ...

    def set_host_state(self, host: str, state: HostState) -> None:
        """Change whether the host takes jobs. An unknown host raises `NotFoundError`."""
        ...

    def get_host(self, host: str) -> Host | None:
        """Return the host, read consistently."""
        ...

    def hosts(self, pool: str) -> Sequence[Host]:
        """Return all hosts of the pool."""
        ...

    def note_sweep(self, *, now: datetime, longest_gap: timedelta) -> datetime:
        """Record that the sweeper passes now; return since when it has passed without a gap.

        A gap longer than `longest_gap` (an outage, a stopped installation) starts the time anew;
        so does the first sweep ever. It is what the outage amnesty is counted from.
        """
        ...

    def swept_since(self, *, now: datetime, longest_gap: timedelta) -> datetime | None:
        """Return since when the sweeper has passed without a gap; None if it is in one now. A read."""
        ...
