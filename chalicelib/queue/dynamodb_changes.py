"""The changes that the queue's verbs make to a job and its host: conditions and updates, as values.

Pure: everything here takes values and returns what `DynamoTable` sends. The conditions are those of
docs/decisions/0002-queue-protocol.md, and each names the state and the fence it expects.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from pynamodb.attributes import NumberAttribute
from pynamodb.expressions.condition import Condition, size
from pynamodb.expressions.update import Action

from chalicelib.clock import from_ms, to_ms
from chalicelib.model import Host, HostState, Job, JobState, Outcome
from chalicelib.queue.dynamodb_items import (
    HOPS,
    HostItem,
    JobItem,
    NumbersAttribute,
    host_key,
    job_key,
    parse_job,
    ttl_of,
)
from chalicelib.queue.dynamodb_table import Change, Refused
from chalicelib.queue.protocol import NewJob
from chalicelib.queue.stamp import sort_key

__all__ = [
    "at_seen",
    "back_to_ready",
    "bind_change",
    "cancelling",
    "claim_change",
    "claimed_by",
    "end_change",
    "ended_by",
    "fewer_than",
    "free_host_slot",
    "heartbeat_change",
    "is_back",
    "met",
    "new_job_item",
    "promote_change",
    "skipped_item",
    "take_host_slot",
]

_MAX_REASON = 300
_ATTEMPT_HOPS = ("claimed", "dispatched", "bound", "started")
_CARRIED_HOPS = ("dispatched", "started")
_NO_HOPS: Mapping[str, datetime] = MappingProxyType({})


def new_job_item(
    job: NewJob, state: JobState, *, partition: str, stamp: int, shard: int = 0, now: datetime
) -> JobItem:
    """Return the item of a job that is admitted, READY or PENDING."""
    hops = {"admitted": to_ms(now)}
    if state is JobState.READY:
        hops["ready"] = to_ms(now)
    item = _bare_item(job, state, hops)
    item.stamp, item.shard = stamp, shard or None
    item.partition, item.order = partition, sort_key(stamp, job.id)
    return item


def skipped_item(job: NewJob, *, outcome: Outcome, reason: str, now: datetime) -> JobItem:
    """Return the item of a job that never was admitted, and never will be."""
    item = _bare_item(job, JobState.DONE, {"finished": to_ms(now)})
    item.outcome, item.reason = outcome.value, reason[:_MAX_REASON]
    item.ttl = ttl_of(now)
    return item


def _bare_item(job: NewJob, state: JobState, hops: Mapping[str, int]) -> JobItem:
    return JobItem(
        *job_key(job.id),
        name=job.name,
        pipeline=job.pipeline,
        tenant=job.tenant,
        delivery=job.delivery,
        pool=job.pool,
        priority_s=job.priority_s,
        state=state.value,
        fence=0,
        attempts=0,
        stamp=0,
        hops=hops,
    )


def promote_change(job: str, *, lane: str, stamp: int, shard: int, now: datetime) -> Change:
    """Return PENDING → READY under a new stamp: the place in the lane is that of today's tenant."""
    return Change(
        key=job_key(job),
        actions=[
            JobItem.state.set(JobState.READY.value),
            JobItem.stamp.set(stamp),
            *([JobItem.shard.set(shard)] if shard else []),
            JobItem.hops["ready"].set(to_ms(now)),
            *_enter(lane, job, stamp),
        ],
        condition=_is_in(JobState.PENDING),
    )


def claimed_by(seen: Job, *, host: str, nonce: str, lease_until: datetime, now: datetime) -> Job:
    """Return the READY job `seen` as a claim makes it."""
    hops = {hop: at for hop, at in seen.hops.items() if hop not in _ATTEMPT_HOPS}
    return replace(
        seen,
        state=JobState.LEASED,
        fence=seen.fence + 1,
        attempts=seen.attempts + 1,
        owner=nonce,
        host=host,
        lease_until=from_ms(to_ms(lease_until)),
        hops=hops | {"claimed": from_ms(to_ms(now))},
    )


def claim_change(seen: Job, claimed: Job) -> Change:
    """Return READY → LEASED, if the job is as seen."""
    return Change(
        key=job_key(seen.id),
        actions=[
            JobItem.state.set(claimed.state.value),
            JobItem.fence.set(claimed.fence),
            JobItem.attempts.set(claimed.attempts),
            JobItem.owner.set(claimed.owner),
            JobItem.host.set(claimed.host),
            *_lease(claimed.lease_until),
            JobItem.hops["claimed"].set(to_ms(claimed.hops["claimed"])),
            *_leave(),
        ],
        condition=at_seen(seen),
    )


def take_host_slot(claimed: Job, host: Host) -> Change:
    """Return the entry in the host's map, if it is UP, of the generation seen, and has room."""
    return Change(
        key=host_key(host.id),
        actions=[HostItem.jobs[claimed.id].set(claimed.fence)],
        condition=(HostItem.state == HostState.UP.value)
        & (HostItem.generation == host.generation)
        & fewer_than(HostItem.jobs, HostItem.slots),
    )


def free_host_slot(seen: Job) -> Change:
    """Return the removal of the job from the map of its host.

    Without a condition of its own: it travels with a change that is conditional on the fence, and
    the fence says which host it is.
    """
    return Change(key=host_key(seen.host), actions=[HostItem.jobs[seen.id].remove()])


def bind_change(
    job: str,
    *,
    fence: int,
    host: str,
    lease_until: datetime,
    hops: Mapping[str, datetime],
) -> Change:
    """Return LEASED → RUNNING on the host that was claimed; RUNNING there already is fine."""
    again = _is_in(JobState.RUNNING) & (JobItem.owner == host)
    return Change(
        key=job_key(job),
        actions=[
            JobItem.state.set(JobState.RUNNING.value),
            JobItem.owner.set(host),
            *_lease(lease_until),
            *_record(hops, ("bound", *_CARRIED_HOPS)),
        ],
        condition=(JobItem.fence == fence)
        & (JobItem.host == host)
        & (_is_in(JobState.LEASED) | again),
    )


def heartbeat_change(job: str, *, fence: int, lease_until: datetime) -> Change:
    """Return the renewal of a lease."""
    return Change(
        key=job_key(job),
        actions=_lease(lease_until),
        condition=(JobItem.fence == fence) & _is_in(JobState.RUNNING, JobState.CANCELLING),
    )


def ended_by(
    seen: Job,
    *,
    outcome: Outcome,
    reason: str,
    now: datetime,
    hops: Mapping[str, datetime] | None = None,
) -> Job:
    """Return the job `seen` as its end makes it. What is CANCELLING ends as its cancel said.

    The host stays on the record: it tells a job that an attempt ended from one that was cancelled
    while it waited.
    """
    cancelled = seen.state is JobState.CANCELLING
    carried = {hop: from_ms(to_ms(at)) for hop, at in _carried(hops).items()}
    passed = {**carried, **seen.hops, "finished": from_ms(to_ms(now))}
    return replace(
        seen,
        state=JobState.DONE,
        owner="",
        lease_until=None,
        outcome=(seen.cancelled_as or Outcome.CANCELLED) if cancelled else outcome,
        cancelled_as=None,
        reason=seen.reason if cancelled and seen.reason else reason[:_MAX_REASON],
        hops={hop: passed[hop] for hop in HOPS if hop in passed},
    )


def end_change(seen: Job, ended: Job) -> Change:
    """Return the way to DONE, if the job is as seen."""
    outcome = ended.outcome or Outcome.INFRASTRUCTURE
    return Change(
        key=job_key(seen.id),
        actions=[
            JobItem.state.set(JobState.DONE.value),
            JobItem.outcome.set(outcome.value),
            JobItem.reason.set(ended.reason),
            JobItem.ttl.set(ttl_of(ended.hops["finished"])),
            JobItem.owner.remove(),
            JobItem.lease_until.remove(),
            *([JobItem.cancelled_as.remove()] if seen.cancelled_as else []),
            *_record(ended.hops, (*_CARRIED_HOPS, "finished")),
            *_leave(),
        ],
        condition=at_seen(seen),
    )


def cancelling(seen: Job, *, outcome: Outcome, reason: str) -> Change:
    """Return LEASED or RUNNING → CANCELLING, if the job is as seen."""
    return Change(
        key=job_key(seen.id),
        actions=[
            JobItem.state.set(JobState.CANCELLING.value),
            JobItem.cancelled_as.set(outcome.value),
            JobItem.reason.set(reason[:_MAX_REASON]),
        ],
        condition=at_seen(seen),
    )


def back_to_ready(seen: Job, *, lane: str, reason: str, now: datetime, charged: bool) -> Change:
    """Return LEASED or RUNNING → READY under the old stamp.

    Charged (a lost lease): if fence and lease are as seen. Not charged (a release): if it is still
    LEASED, and the attempt is taken off the count.
    """
    leased = JobItem.lease_until == to_ms(seen.lease_until or now)
    lost = (JobItem.fence == seen.fence) & leased & _is_in(JobState.LEASED, JobState.RUNNING)
    return Change(
        key=job_key(seen.id),
        actions=[
            JobItem.state.set(JobState.READY.value),
            JobItem.attempts.set(seen.attempts if charged else seen.attempts - 1),
            JobItem.reason.set(reason[:_MAX_REASON]),
            JobItem.owner.remove(),
            JobItem.host.remove(),
            JobItem.lease_until.remove(),
            JobItem.hops["ready"].set(to_ms(now)),
            *(JobItem.hops[hop].remove() for hop in _ATTEMPT_HOPS),
            *_enter(lane, seen.id, seen.stamp),
        ],
        condition=lost if charged else at_seen(seen),
    )


def at_seen(seen: Job) -> Condition:
    """Return the condition that state and fence are as seen."""
    condition: Condition = _is_in(seen.state) & (JobItem.fence == seen.fence)
    return condition


def met(refused: Refused | None) -> Job | None:
    """Return the job that a refused write met, or None."""
    return parse_job(refused.item) if refused is not None and refused.item else None


def is_back(job: Job | None, fence: int) -> bool:
    """Return whether the attempt of that fence is over and its job READY: a repeat's success."""
    return job is not None and job.state is JobState.READY and job.fence == fence > 0


def fewer_than(jobs: NumbersAttribute, limit: NumberAttribute | int) -> Condition:
    """Return the condition that the map has fewer entries than `limit`, attribute or number."""
    used: Any = size(jobs)  # type: ignore[no-untyped-call]  # pynamodb left it so
    condition: Condition = used < limit
    return condition


def _is_in(*states: JobState) -> Condition:
    condition: Condition = JobItem.state.is_in(*(state.value for state in states))
    return condition


def _enter(partition: str, job: str, stamp: int) -> list[Action]:
    return [JobItem.partition.set(partition), JobItem.order.set(sort_key(stamp, job))]


def _leave() -> list[Action]:
    return [JobItem.partition.remove(), JobItem.order.remove()]


def _lease(until: datetime | None) -> Sequence[Action]:
    return [JobItem.lease_until.set(to_ms(until))] if until else []


def _carried(hops: Mapping[str, datetime] | None) -> Mapping[str, datetime]:
    return {hop: at for hop, at in (hops or _NO_HOPS).items() if hop in _CARRIED_HOPS}


def _record(hops: Mapping[str, datetime], names: Iterable[str]) -> list[Action]:
    # A hop once recorded stays: a repeat must not move it.
    return [
        JobItem.hops[name].set(JobItem.hops[name] | to_ms(hops[name]))
        for name in names
        if name in hops
    ]
