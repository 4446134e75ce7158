"""Find a job by its id, whether it has an item yet or not."""

from chalicelib.errors import NotFoundError
from chalicelib.model import Job, JobRef, JobState, Pipeline
from chalicelib.services.context import Berth

__all__ = ["find_job", "find_planned", "waiting_job"]


def find_job(berth: Berth, job_id: str) -> Job:
    """Return the job; one that waits for others has no item yet and is WAITING.

    Raises:
        NotFoundError: there is no such job.
    """
    return berth.queue.get_job(job_id) or waiting_job(*find_planned(berth, job_id))


def find_planned(berth: Berth, job_id: str) -> tuple[Pipeline, JobRef]:
    """Return the pipeline that planned the job, and its pointer to it.

    Raises:
        NotFoundError: there is no such job.
    """
    planned_by = berth.pipelines.pipeline_of(job_id)
    pipeline = berth.pipelines.get_pipeline(planned_by) if planned_by else None
    ref = next((ref for ref in pipeline.jobs if ref.id == job_id), None) if pipeline else None
    if pipeline is None or ref is None:
        raise NotFoundError(reason=f"no job {job_id}")
    return pipeline, ref


def waiting_job(pipeline: Pipeline, ref: JobRef) -> Job:
    """Return the job of a ref that has no item yet."""
    return Job(
        id=ref.id,
        name=ref.name,
        pipeline=pipeline.id,
        tenant=pipeline.tenant,
        delivery=pipeline.delivery,
        state=JobState.WAITING,
    )
