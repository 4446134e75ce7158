"""Repair whatever a killed actor left. Runs every minute, holds no state, may run twice at once.

Everything here is also done by somebody at once in the ordinary case; the sweeper is the guarantee
that it happens at all (queue protocol R2 and section 1.5). One sweep is bounded in time. Each part
of it begins at a random place, so that what one sweep does not reach, later ones do.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from chalicelib.model import Job, JobState, Outcome, Pipeline, PipelineState, Tenant
from chalicelib.services.advance_pipeline import advance_pipeline
from chalicelib.services.cancel_pipeline import cancel_pipeline
from chalicelib.services.claim_job import claim_job, claim_ready
from chalicelib.services.collect_orphans import Collected, collect_orphans
from chalicelib.services.context import Berth
from chalicelib.services.recover_attempt import Decision, recover_attempt
from chalicelib.services.supersede_pipeline import SUPERSEDED, is_superseded

__all__ = ["Swept", "sweep"]

_LONGEST = timedelta(seconds=45)
"""The next sweep comes in a minute, and Chalice ends a function after one."""
_REAP_GRACE = timedelta(seconds=5)
"""Added to a lease before it counts as expired: clocks of Lambdas differ by little."""
_REAP_SHARE = 20
"""At most one in so many live jobs is reaped in one sweep, but always at least a few."""
_REAP_LEAST = 8
_OVERLOOKED = timedelta(minutes=2)
"""A job READY for that long is claimed by its key: its index entry may be missing."""
_PLAN_LIMIT = timedelta(hours=6)
"""Longer than GitHub has been away in years; what cannot be planned for so long ends, and says so."""
_IDLE = timedelta(hours=1)
_PROMOTIONS = 20
_PIPELINES = 100
_PLANNERS = 25

_T = TypeVar("_T")


@dataclass(slots=True, kw_only=True)
class Swept:
    """What one sweep did, for the log line. `unfinished` names the parts that time cut short."""

    planned: list[str] = field(default_factory=list)
    advanced: list[str] = field(default_factory=list)
    reaped: dict[str, str] = field(default_factory=dict)
    claimed: list[str] = field(default_factory=list)
    promoted: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    orphans: Collected = field(default_factory=Collected)
    unfinished: list[str] = field(default_factory=list)
    amnesty: bool = False


def sweep(berth: Berth) -> Swept:
    """Plan, advance, reap, promote, claim and collect what nobody else did.

    Raises:
        StoreUnavailableError: the store did not answer; the next sweep starts anew.
    """
    swept = Swept()
    now = berth.clock.now()
    since = berth.queue.note_sweep(now=now, longest_gap=berth.policy.longest_sweep_gap)
    # After an outage everybody's lease is old: nothing is reaped until one lease has passed in which
    # supervisors could renew (protocol 1.7, outage amnesty).
    swept.amnesty = now - since < berth.policy.lease
    over = _limit(berth, swept, now + _LONGEST)
    tenants = _mixed(berth, list(berth.queue.active_tenants()))
    _move_pipelines(berth, swept, over)
    _look_at_jobs(berth, swept, tenants, over)
    _look_at_tenants(berth, swept, tenants, over)
    for pool in berth.queue.pools():
        swept.claimed += [job.id for job in claim_ready(berth, pool=pool)]
        berth.queue.settle_lanes(pool, now=now)
    collect_orphans(berth, swept.orphans, over=lambda: over("orphans"))
    return swept


def _limit(berth: Berth, swept: Swept, until: datetime) -> Callable[[str], bool]:
    def over(part: str) -> bool:
        if berth.clock.now() < until:
            return False
        if part not in swept.unfinished:
            swept.unfinished.append(part)
        return True

    return over


def _mixed(berth: Berth, things: Sequence[_T]) -> list[_T]:
    start = int(berth.random.uniform(0, len(things))) if things else 0
    return [*things[start:], *things[:start]]


def _move_pipelines(berth: Berth, swept: Swept, over: Callable[[str], bool]) -> None:
    for pipeline in _open_pipelines(berth):
        if over("pipelines"):
            return
        _move_pipeline(berth, swept, pipeline)


def _open_pipelines(berth: Berth) -> Iterator[Pipeline]:
    """Yield the oldest open pipelines, then some from a random time on."""
    now = berth.clock.now()
    before = now - berth.policy.plan_grace
    oldest = berth.pipelines.open_pipelines(before=before, limit=_PIPELINES)
    yield from oldest
    if len(oldest) < _PIPELINES:
        return
    age_s = (before - oldest[-1].received_at).total_seconds()
    since = before - timedelta(seconds=berth.random.uniform(0, age_s))
    seen = {pipeline.id for pipeline in oldest}
    further = berth.pipelines.open_pipelines(before=before, since=since, limit=_PIPELINES)
    yield from (pipeline for pipeline in further if pipeline.id not in seen)


def _move_pipeline(berth: Berth, swept: Swept, pipeline: Pipeline) -> None:
    now = berth.clock.now()
    if pipeline.received_at < now - berth.policy.pipeline_deadline:
        hours = berth.policy.pipeline_deadline // timedelta(hours=1)
        reason = f"it had not ended after {hours} hours"
        cancel_pipeline(berth, pipeline.id, outcome=Outcome.TIMED_OUT, reason=reason)
        swept.closed.append(pipeline.id)
    elif pipeline.state is PipelineState.RECEIVED:
        _plan(berth, swept, pipeline, now)
    elif is_superseded(berth, pipeline):
        cancel_pipeline(berth, pipeline.id, outcome=Outcome.SUPERSEDED, reason=SUPERSEDED)
        swept.closed.append(pipeline.id)
    else:
        done = advance_pipeline(berth, pipeline.id)
        swept.advanced += [*done.ready, *done.pending]
        if done.outcome is not None:
            swept.closed.append(pipeline.id)


def _plan(berth: Berth, swept: Swept, pipeline: Pipeline, now: datetime) -> None:
    if pipeline.received_at < now - _PLAN_LIMIT:
        berth.pipelines.end_pipeline(
            pipeline.id,
            seen=PipelineState.RECEIVED,
            outcome=Outcome.INFRASTRUCTURE,
            reason="its config could not be read or compiled for six hours; push again",
            now=now,
        )
        swept.closed.append(pipeline.id)
    elif len(swept.planned) < _PLANNERS:
        berth.sequencer.plan(pipeline.id)
        swept.planned.append(pipeline.id)


def _look_at_jobs(
    berth: Berth, swept: Swept, tenants: Sequence[Tenant], over: Callable[[str], bool]
) -> None:
    held = sum(len(tenant.jobs) for tenant in tenants)
    allowed = 0 if swept.amnesty else max(_REAP_LEAST, held // _REAP_SHARE)
    latest = berth.clock.now() - _REAP_GRACE
    for tenant in tenants:
        if over("jobs"):
            return
        for job in berth.queue.get_jobs(tenant.jobs).values():
            if job.state is JobState.READY:
                _claim_overlooked(berth, swept, job)
            elif _is_expired(job, latest) and len(swept.reaped) < allowed:
                _reap(berth, swept, job)


def _is_expired(job: Job, latest: datetime) -> bool:
    return job.live and job.lease_until is not None and job.lease_until < latest


def _claim_overlooked(berth: Berth, swept: Swept, job: Job) -> None:
    ready = job.hops.get("ready")
    if ready is None or ready > berth.clock.now() - _OVERLOOKED:
        return
    if claim_job(berth, job.id, pool=job.pool) is not None:
        swept.claimed.append(job.id)


def _reap(berth: Berth, swept: Swept, job: Job) -> None:
    cause = "the attempt was not heard of in time"
    decision = recover_attempt(berth, job=job.id, fence=job.fence, cause=cause)
    swept.reaped[job.id] = decision.value
    if decision is not Decision.ALIVE:
        # Its execution still waits for it. `RecoverAttempt` itself must not do this: it runs in
        # that execution, which would show as aborted, without its decision.
        berth.sequencer.stop(job.id, job.fence, reason=cause)


def _look_at_tenants(
    berth: Berth, swept: Swept, tenants: Sequence[Tenant], over: Callable[[str], bool]
) -> None:
    for tenant in tenants:
        if over("tenants"):
            return
        for _ in range(_PROMOTIONS):
            now = berth.clock.now()
            job = berth.queue.promote(tenant.id, now=now)
            if job is None:
                break
            swept.promoted.append(job)
        if tenant.shards > 1:
            berth.queue.settle_limit(tenant.id)
        if not tenant.jobs and berth.queue.forget_idle(tenant.id, before=berth.clock.now() - _IDLE):
            swept.forgotten.append(tenant.id)
