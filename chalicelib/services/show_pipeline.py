"""Read what people and programs ask for: a pipeline with its jobs, and why each waits."""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.errors import NotFoundError
from chalicelib.model import Job, JobState, Pipeline
from chalicelib.services.context import Berth
from chalicelib.services.explain_job import why
from chalicelib.services.find_job import waiting_job

__all__ = ["Shown", "show_pipeline"]

_EXPLAINED = frozenset({JobState.WAITING, JobState.PENDING, JobState.READY, JobState.LEASED})
_MOST_EXPLAINED = 20
"""Explaining takes reads; of more jobs than that, people read the first ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A pipeline and its jobs in config order; `waits` has a sentence for each job that waits.

    Of the jobs that wait only the first twenty have one.
    """

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
    jobs = tuple(found.get(ref.id) or waiting_job(pipeline, ref) for ref in pipeline.jobs)
    waiting = [job for job in jobs if job.state in _EXPLAINED][:_MOST_EXPLAINED]
    return Shown(
        pipeline=pipeline,
        jobs=jobs,
        waits={job.id: why(berth, job, pipeline) for job in waiting},
    )
