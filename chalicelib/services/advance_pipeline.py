"""Move a planned pipeline on: admit what may run, end what never will, end it when all has ended.

Driven by state alone (queue protocol R2): planner, finisher, canceller and sweeper all call this,
and whoever is killed in it leaves nothing that the next call does not see.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.model import (
    Job,
    JobRef,
    Outcome,
    Pipeline,
    PipelineState,
    advance,
    in_order,
    pipeline_outcome,
)
from chalicelib.queue.protocol import Admission, NewJob
from chalicelib.services.claim_job import claim_job
from chalicelib.services.context import Berth

__all__ = ["Advanced", "advance_pipeline", "new_job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """Ids of the jobs that this call made READY or PENDING; `outcome` once the pipeline has ended."""

    ready: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    outcome: Outcome | None = None


def advance_pipeline(berth: Berth, pipeline_id: str) -> Advanced:
    """Do all that the state of the pipeline's jobs allows. Safe to repeat, and to run twice at once.

    Raises:
        StoreUnavailableError: the store or Step Functions did not answer; the sweeper goes on.
    """
    pipeline = berth.pipelines.get_pipeline(pipeline_id)
    if pipeline is None or pipeline.state is not PipelineState.PLANNED:
        return Advanced(outcome=pipeline.outcome if pipeline else None)
    jobs = berth.queue.get_jobs(ref.id for ref in pipeline.jobs)
    found = advance(pipeline.jobs, jobs)
    for ref, outcome, reason in found.skip:
        job = new_job(pipeline, ref)
        berth.queue.skip(job, outcome=outcome, reason=reason, now=berth.clock.now())
    ready, pending = _admit(berth, pipeline, found.admit)
    if found.skip:
        jobs = berth.queue.get_jobs(ref.id for ref in pipeline.jobs)
    # In order: of what never ran, the first to say why is the one that all the others needed.
    there = [jobs[ref.id] for ref in in_order(pipeline.jobs) if ref.id in jobs]
    ended = None if found.admit else _end(berth, pipeline, there)
    return Advanced(ready=tuple(ready), pending=tuple(pending), outcome=ended)


def new_job(pipeline: Pipeline, ref: JobRef) -> NewJob:
    """Return what the queue has to know of a job of the pipeline."""
    return NewJob(
        id=ref.id,
        name=ref.name,
        pipeline=pipeline.id,
        tenant=pipeline.tenant,
        delivery=pipeline.delivery,
    )


def _admit(berth: Berth, pipeline: Pipeline, refs: Sequence[JobRef]) -> tuple[list[str], list[str]]:
    ready, pending = [], []
    for ref in refs:
        job = new_job(pipeline, ref)
        match berth.queue.admit(job, now=berth.clock.now()):
            case Admission.READY:
                ready.append(ref.id)
                # At once and by key: the index may lag, and the stream is a hint, not the path.
                claim_job(berth, ref.id, pool=job.pool)
            case Admission.PENDING:
                pending.append(ref.id)
            case Admission.EXISTS:
                continue
    return ready, pending


def _end(berth: Berth, pipeline: Pipeline, jobs: Sequence[Job]) -> Outcome | None:
    verdict = pipeline_outcome(jobs) if len(jobs) == len(pipeline.jobs) else None
    if verdict is None:
        return None
    outcome, reason = verdict
    berth.pipelines.end_pipeline(
        pipeline.id,
        seen=PipelineState.PLANNED,
        outcome=outcome,
        reason=reason,
        now=berth.clock.now(),
    )
    return outcome
