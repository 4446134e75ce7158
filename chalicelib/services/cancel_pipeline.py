"""Cancel a pipeline: jobs that wait end at once, jobs that run are told to stop."""

from chalicelib.errors import HostUnreachableError, NotFoundError
from chalicelib.model import Job, JobState, Outcome, PipelineState
from chalicelib.services.context import Berth
from chalicelib.services.finish_job import close_pipeline, pass_on_slot

__all__ = ["cancel_pipeline"]


def cancel_pipeline(berth: Berth, pipeline_id: str, *, reason: str = "cancelled") -> int:
    """Cancel every job that has not ended; return how many there were. Safe to repeat.

    A running job keeps its slots until its container is gone, so that a tenant's limit stays true.

    Raises:
        NotFoundError: there is no such pipeline.
        StoreUnavailableError: the store did not answer.
    """
    pipeline = berth.pipelines.get_pipeline(pipeline_id)
    if pipeline is None:
        raise NotFoundError(reason=f"no pipeline {pipeline_id}")
    if pipeline.state is PipelineState.RECEIVED and berth.pipelines.end_pipeline(
        pipeline_id, outcome=Outcome.CANCELLED, reason=reason, now=berth.clock.now()
    ):
        return 0
    jobs = berth.queue.get_jobs(ref.id for ref in pipeline.jobs)
    open_jobs = [job for job in jobs.values() if job.state is not JobState.DONE]
    for job in open_jobs:
        _cancel(berth, job, reason)
    close_pipeline(berth, pipeline_id)
    return len(open_jobs)


def _cancel(berth: Berth, job: Job, reason: str) -> None:
    now = berth.clock.now()
    after = berth.queue.cancel(job.id, outcome=Outcome.CANCELLED, reason=reason, now=now)
    if after is None:
        return
    if after.state is JobState.DONE:
        pass_on_slot(berth, after)
        return
    host = berth.queue.get_host(after.host) if after.host else None
    if host is None:
        return
    try:
        berth.host(host).cancel_attempt(after.id, after.fence)
    except HostUnreachableError:
        # The supervisor also learns of it by the answer to its next report.
        return
