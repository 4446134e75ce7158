"""End a job by the stored result of its attempt, and pass on what it held."""

from datetime import datetime

from chalicelib.clock import from_ms
from chalicelib.errors import FenceLostError, HostUnreachableError, NotFoundError
from chalicelib.model import Job, Outcome, Result
from chalicelib.services.advance_pipeline import advance_pipeline
from chalicelib.services.claim_job import claim_ready
from chalicelib.services.context import Berth
from chalicelib.services.pass_on_slot import pass_on_slot

__all__ = ["end_job", "finish_job", "try_again"]


def finish_job(berth: Berth, *, job: str, fence: int) -> Outcome | None:
    """Finish the job by the result stored for this fence; None when it goes to another attempt.

    An attempt that ended for an infrastructure reason is retried while attempts are left.
    Safe to repeat.

    Raises:
        FenceLostError: the attempt is not the job's live one, nor the one that ended it.
        NotFoundError: no result is stored for this fence.
        StoreUnavailableError: the store did not answer.
    """
    result = berth.logs.get_result(job, fence)
    if result is None:
        raise NotFoundError(reason=f"no result of attempt {job}-{fence}")
    if result.outcome is Outcome.INFRASTRUCTURE and _retried(berth, job, fence, result):
        return None
    ended = end_job(
        berth,
        job=job,
        fence=fence,
        outcome=result.outcome,
        reason=_explained(berth, job, fence, result),
        started=_first_start(result),
    )
    return ended.outcome


def end_job(
    berth: Berth,
    *,
    job: str,
    fence: int,
    outcome: Outcome,
    reason: str,
    started: datetime | None = None,
) -> Job:
    """Seal the log, finish the job, pass its slot on, move its pipeline on; return the job as DONE.

    The log is sealed first: a kill after `finish` must not leave chunks to their TTL.

    Raises:
        FenceLostError: the attempt is not the job's live one, nor the one that ended it.
        StoreUnavailableError: the store did not answer.
    """
    berth.logs.seal(job, fence)
    now = berth.clock.now()
    hops = {"started": started} if started else {}
    ended = berth.queue.finish(job, fence=fence, outcome=outcome, reason=reason, now=now, hops=hops)
    if ended is None:
        raise FenceLostError(job=job, fence=fence)
    berth.identify(pipeline=ended.pipeline, delivery=ended.delivery)
    pass_on_slot(berth, tenant=ended.tenant, pool=ended.pool)
    advance_pipeline(berth, ended.pipeline)
    return ended


def try_again(berth: Berth, job: Job, *, reason: str) -> bool:
    """Requeue a lost attempt's job if it has attempts left and is still as seen; return whether.

    The caller claims, after it has removed what the attempt left on the host.
    """
    if job.attempts >= berth.policy.max_attempts:
        return False
    return berth.queue.requeue(job, reason=reason, now=berth.clock.now())


def _explained(berth: Berth, job_id: str, fence: int, result: Result) -> str:
    """Return a failed result's reason, with what the kernel killed in the attempt's container.

    All that a supervisor sees is a status such as 137, or whatever a tool makes of it whose child was
    killed. A host that does not answer must not keep a result from being taken.
    """
    job = berth.queue.get_job(job_id) if result.outcome is Outcome.FAILED else None
    host = berth.queue.get_host(job.host) if job is not None and job.host else None
    if host is None:
        return result.reason
    try:
        killed = berth.host(host).killed_in(job_id, fence)
    except HostUnreachableError:
        return result.reason
    return f"{result.reason}; {killed}" if killed else result.reason


def _first_start(result: Result) -> datetime | None:
    starts = [step.started_at_ms for step in result.steps if step.started_at_ms is not None]
    return from_ms(min(starts)) if starts else None


def _retried(berth: Berth, job_id: str, fence: int, result: Result) -> bool:
    job = berth.queue.get_job(job_id)
    if job is None or job.fence != fence or not job.live:
        return False
    if not try_again(berth, job, reason=result.reason):
        return False
    claim_ready(berth, pool=job.pool, most=4)
    return True
