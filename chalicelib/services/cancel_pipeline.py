"""Cancel a pipeline or a job: what waits ends at once, what runs is told to stop."""

from chalicelib.errors import HostUnreachableError, NotFoundError
from chalicelib.model import Job, JobRef, JobState, Outcome, Pipeline, PipelineState
from chalicelib.services.advance_pipeline import advance_pipeline, new_job
from chalicelib.services.context import Berth
from chalicelib.services.find_job import find_planned
from chalicelib.services.pass_on_slot import pass_on_slot

__all__ = ["cancel_job", "cancel_pipeline"]


def cancel_pipeline(
    berth: Berth,
    pipeline_id: str,
    *,
    outcome: Outcome = Outcome.CANCELLED,
    reason: str = "cancelled",
) -> int:
    """Cancel every job that has not ended; return how many there were. Safe to repeat.

    A running job keeps its slots until its container is gone, so that a tenant's limit stays true.

    Args:
        berth: the drivers.
        pipeline_id: the pipeline.
        outcome: CANCELLED, SUPERSEDED or TIMED_OUT.
        reason: one sentence for people.

    Raises:
        NotFoundError: there is no such pipeline.
        StoreUnavailableError: the store did not answer.
    """
    pipeline = _found(berth, pipeline_id)
    if pipeline.state is PipelineState.RECEIVED:
        if _ended(berth, pipeline, outcome, reason):
            return 0
        pipeline = _found(berth, pipeline_id)  # it was planned meanwhile, or somebody ended it
    if pipeline.state is PipelineState.ENDED:
        return 0
    jobs = berth.queue.get_jobs(ref.id for ref in pipeline.jobs)
    cancelled = [
        ref
        for ref in pipeline.jobs
        if ref.id not in jobs or jobs[ref.id].state is not JobState.DONE
    ]
    # From the far end: ended from the near one, a need would admit or end its dependants in between.
    for ref in reversed(cancelled):
        _cancel_ref(berth, pipeline, ref, outcome=outcome, reason=reason)
    advance_pipeline(berth, pipeline_id)
    return len(cancelled)


def cancel_job(berth: Berth, job_id: str, *, reason: str = "cancelled") -> Job:
    """Cancel one job, in any state; return it as it is afterwards. Safe to repeat.

    Jobs that need it end unrun; the others of its pipeline go on.

    Raises:
        NotFoundError: there is no such job.
        StoreUnavailableError: the store did not answer.
    """
    pipeline, ref = find_planned(berth, job_id)
    _cancel_ref(berth, pipeline, ref, outcome=Outcome.CANCELLED, reason=reason)
    advance_pipeline(berth, pipeline.id)
    job = berth.queue.get_job(job_id)
    if job is None:
        raise NotFoundError(reason=f"no job {job_id}")
    return job


def _found(berth: Berth, pipeline_id: str) -> Pipeline:
    pipeline = berth.pipelines.get_pipeline(pipeline_id)
    if pipeline is None:
        raise NotFoundError(reason=f"no pipeline {pipeline_id}")
    return pipeline


def _ended(berth: Berth, pipeline: Pipeline, outcome: Outcome, reason: str) -> bool:
    return berth.pipelines.end_pipeline(
        pipeline.id,
        seen=PipelineState.RECEIVED,
        outcome=outcome,
        reason=reason,
        now=berth.clock.now(),
    )


def _cancel_ref(
    berth: Berth, pipeline: Pipeline, ref: JobRef, *, outcome: Outcome, reason: str
) -> None:
    now = berth.clock.now()
    after = berth.queue.cancel(ref.id, outcome=outcome, reason=reason, now=now)
    if after is None:
        if berth.queue.skip(new_job(pipeline, ref), outcome=outcome, reason=reason, now=now):
            return
        # It was admitted between the two.
        after = berth.queue.cancel(ref.id, outcome=outcome, reason=reason, now=now)
    if after is None:
        return
    if after.state is JobState.DONE:
        pass_on_slot(berth, tenant=after.tenant, pool=after.pool)
        return
    _tell_host(berth, after)


def _tell_host(berth: Berth, job: Job) -> None:
    host = berth.queue.get_host(job.host) if job.host else None
    if host is None:
        return
    try:
        berth.host(host).cancel_attempt(job.id, job.fence)
    except HostUnreachableError:
        # The supervisor also learns of it by the answer to its next report.
        return
