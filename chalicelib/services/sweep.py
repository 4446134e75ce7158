"""Repair whatever a killed actor left. Runs every minute, holds no state, may run twice at once.

Everything here is also done by somebody at once in the ordinary case; the sweeper is the guarantee
that it happens at all (queue protocol R2 and section 1.5).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.errors import HostUnreachableError
from chalicelib.fleet.protocol import HostDriver
from chalicelib.model import Host, Job, JobState, Outcome, Pipeline, PipelineState
from chalicelib.services.claim_job import claim_ready
from chalicelib.services.context import Berth
from chalicelib.services.finish_job import close_pipeline
from chalicelib.services.recover_attempt import Decision, recover_attempt

__all__ = ["Swept", "sweep"]

POOLS = ("default",)
"""The pools there are. A later issue makes pools a record of their own."""

_REAP_GRACE = timedelta(seconds=5)
"""Added to a lease before it counts as expired: clocks of Lambdas differ by little."""
_REAP_SHARE = 20
"""At most one in so many live jobs is reaped in one sweep, but always at least a few."""
_REAP_LEAST = 8
_CONTAINER_GRACE = timedelta(seconds=60)
"""How long what a finished attempt left on its host is let be: the supervisor is just cleaning up."""
_PLAN_LIMIT = timedelta(hours=6)
"""Longer than GitHub has been away in years; what cannot be planned for so long ends, and says so."""
_PROMOTIONS = 20
_PIPELINES = 50


@dataclass(slots=True, kw_only=True)
class Swept:
    """What one sweep did, for the log line."""

    planned: list[str] = field(default_factory=list)
    reaped: dict[str, str] = field(default_factory=dict)
    claimed: list[str] = field(default_factory=list)
    promoted: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)
    amnesty: bool = False


def sweep(berth: Berth) -> Swept:
    """Plan, reap, promote, claim, close and collect what nobody else did.

    Raises:
        StoreUnavailableError: the store did not answer; the next sweep starts anew.
    """
    swept = Swept()
    now = berth.clock.now()
    since = berth.queue.note_sweep(now=now, longest_gap=2 * berth.policy.sweep_period)
    # After an outage everybody's lease is old: nothing is reaped until one lease has passed in which
    # supervisors could renew (protocol 1.7, outage amnesty).
    swept.amnesty = now - since < berth.policy.lease
    _plan(berth, swept)
    if not swept.amnesty:
        _reap(berth, swept)
    _promote_and_claim(berth, swept)
    _close(berth, swept)
    _collect(berth, swept)
    return swept


def _plan(berth: Berth, swept: Swept) -> None:
    now = berth.clock.now()
    for pipeline_id in berth.pipelines.unplanned(before=now - berth.policy.plan_grace):
        pipeline = berth.pipelines.get_pipeline(pipeline_id)
        if pipeline is not None and _is_unreadable(pipeline, now):
            reason = "its config could not be read or compiled for six hours; push again"
            berth.pipelines.end_pipeline(
                pipeline_id, outcome=Outcome.INFRASTRUCTURE, reason=reason, now=now
            )
            swept.closed.append(pipeline_id)
            continue
        berth.sequencer.plan(pipeline_id)
        swept.planned.append(pipeline_id)


def _is_unreadable(pipeline: Pipeline, now: datetime) -> bool:
    # Only one without jobs: a planned one may have jobs that run, and wants its admission ended.
    return pipeline.state is PipelineState.RECEIVED and pipeline.received_at < now - _PLAN_LIMIT


def _reap(berth: Berth, swept: Swept) -> None:
    jobs = list(berth.queue.live_jobs())
    allowed = max(_REAP_LEAST, len(jobs) // _REAP_SHARE)
    latest = berth.clock.now() - _REAP_GRACE
    expired = [job for job in jobs if job.live and job.lease_until and job.lease_until < latest]
    for job in expired[:allowed]:
        cause = "the attempt was not heard of in time"
        decision = recover_attempt(berth, job=job.id, fence=job.fence, cause=cause)
        swept.reaped[job.id] = decision.value
        if decision is not Decision.ALIVE:
            # Its execution still waits for it. `RecoverAttempt` itself must not do this: it runs in
            # that execution, which would show as aborted, without its decision.
            berth.sequencer.stop(job.id, job.fence, reason=cause)


def _promote_and_claim(berth: Berth, swept: Swept) -> None:
    for tenant in berth.queue.pending_tenants():
        for _ in range(_PROMOTIONS):
            job = berth.queue.promote(tenant, now=berth.clock.now())
            if job is None:
                break
            swept.promoted.append(job)
    for pool in POOLS:
        swept.claimed += [job.id for job in claim_ready(berth, pool=pool)]


def _close(berth: Berth, swept: Swept) -> None:
    for pipeline in berth.pipelines.list_pipelines(limit=_PIPELINES).pipelines:
        if pipeline.state is PipelineState.PLANNED and close_pipeline(berth, pipeline.id):
            swept.closed.append(pipeline.id)


def _collect(berth: Berth, swept: Swept) -> None:
    for host in _hosts(berth):
        driver = berth.host(host)
        try:
            _collect_host(berth, driver, swept)
        except HostUnreachableError:
            swept.unreachable.append(host.id)


def _hosts(berth: Berth) -> Iterator[Host]:
    for pool in POOLS:
        yield from berth.queue.hosts(pool)


def _collect_host(berth: Berth, driver: HostDriver, swept: Swept) -> None:
    found = driver.attempts()
    jobs = berth.queue.get_jobs(job for job, _ in found)
    for job, fence in found:
        if _is_garbage(berth, jobs.get(job), fence):
            driver.remove_attempt(job, fence)
            swept.removed.append(f"{job}-{fence}")


def _is_garbage(berth: Berth, job: Job | None, fence: int) -> bool:
    if job is None or fence < job.fence:
        return True
    if fence > job.fence or job.live:
        return False
    finished = job.hops.get("finished")
    if job.state is JobState.DONE and finished is not None:
        return finished < berth.clock.now() - _CONTAINER_GRACE
    return True  # requeued, and not claimed again: the old container is nobody's
