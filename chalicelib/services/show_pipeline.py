"""Read what people and programs ask for: a pipeline with its jobs, and why a job waits."""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.errors import NotFoundError
from chalicelib.model import HostState, Job, JobState, Pipeline
from chalicelib.services.context import Berth

__all__ = ["Shown", "find_job", "show_pipeline", "waits_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A pipeline and its jobs in config order; `waits` has a sentence for each job that waits."""

    pipeline: Pipeline
    jobs: tuple[Job, ...]
    waits: Mapping[str, str]


def show_pipeline(berth: Berth, pipeline_id: str) -> Shown:
    """Return the pipeline as it is now.

    Raises:
        NotFoundError: there is no such pipeline.
        StoreUnavailableError: the store did not answer.
    """
    pipeline = berth.pipelines.get_pipeline(pipeline_id)
    if pipeline is None:
        raise NotFoundError(reason=f"no pipeline {pipeline_id}")
    found = berth.queue.get_jobs(ref.id for ref in pipeline.jobs)
    jobs = tuple(found[ref.id] for ref in pipeline.jobs if ref.id in found)
    waiting = (
        job for job in jobs if job.state in {JobState.PENDING, JobState.READY, JobState.LEASED}
    )
    return Shown(
        pipeline=pipeline, jobs=jobs, waits={job.id: waits_for(berth, job) for job in waiting}
    )


def find_job(berth: Berth, job_id: str) -> Job:
    """Return the job.

    Raises:
        NotFoundError: there is no such job.
    """
    job = berth.queue.get_job(job_id)
    if job is None:
        raise NotFoundError(reason=f"no job {job_id}")
    return job


def waits_for(berth: Berth, job: Job) -> str:
    """Return one sentence on what a job that does not run waits for; empty when it does not wait."""
    match job.state:
        case JobState.PENDING:
            tenant = berth.queue.get_tenant(job.tenant)
            if tenant is None:
                return "waits for its tenant's record"
            return f"tenant {tenant.id} holds {len(tenant.jobs)} of its {tenant.limit} slots"
        case JobState.READY:
            return _waits_for_host(berth, job)
        case JobState.LEASED:
            return f"its container is being made on {job.host}"
        case _:
            return ""


def _waits_for_host(berth: Berth, job: Job) -> str:
    hosts = berth.queue.hosts(job.pool)
    up = [host for host in hosts if host.state is HostState.UP]
    if not up:
        return f"pool {job.pool} has no host that is up ({len(hosts)} registered)"
    taken, slots = sum(len(host.jobs) for host in up), sum(host.slots for host in up)
    if taken >= slots:
        return f"pool {job.pool}: {taken} of {slots} slots taken on {len(up)} host(s)"
    again = f"; last attempt: {job.reason}" if job.reason else ""
    return f"pool {job.pool} has room; the next sweep claims it{again}"
