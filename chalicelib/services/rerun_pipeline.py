"""Run a pipeline again: all of it, the jobs that failed, or one job. Each is a new pipeline."""

from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.errors import NotFoundError, PayloadError
from chalicelib.model import Pipeline, PipelineState, pipeline_id
from chalicelib.services.context import Berth
from chalicelib.services.receive_delivery import Received
from chalicelib.services.wake_planner import wake_planner

__all__ = ["rerun_pipeline"]

_MOST = 100


def rerun_pipeline(
    berth: Berth, pipeline: str, *, only_failed: bool = False, only_job: str | None = None
) -> Received:
    """Put a pipeline for the same commit and wake its planner; return its id.

    While a re-run of the same kind is open, its id is the answer again: safe to repeat.

    Args:
        berth: the drivers.
        pipeline: which to run again.
        only_failed: the jobs that did not succeed, and those that need them; the others count as
            they ended. The pipeline must have ended.
        only_job: the job of this name alone, whatever it needs.

    Raises:
        NotFoundError: there is no such pipeline, or it has no job of that name.
        PayloadError: the pipeline cannot be run again in this way; says why.
        StoreUnavailableError: the store did not answer.
    """
    old = berth.pipelines.get_pipeline(pipeline)
    if old is None:
        raise NotFoundError(reason=f"no pipeline {pipeline}")
    now = berth.clock.now()
    _check(old, now, only_failed=only_failed, only_job=only_job)
    wanted = replace(
        old,
        only_job=only_job if only_job is not None else old.only_job,
        failed_of=old.id if only_failed else "",
        received_at=now,
        state=PipelineState.RECEIVED,
        planned_at=None,
        ended_at=None,
        outcome=None,
        reason="",
        jobs=(),
    )
    for rerun in range(old.rerun + 1, old.rerun + 1 + _MOST):
        new = replace(wanted, id=_identity(old, rerun), rerun=rerun)
        if berth.pipelines.put_pipeline(new):
            wake_planner(berth, new.id)
            return Received(pipeline=new.id, duplicate=False)
        there = berth.pipelines.get_pipeline(new.id)
        if there is not None and _is_the_same(there, new):
            return Received(pipeline=there.id, duplicate=True)
    raise PayloadError(reason=f"it was run again {_MOST} times; push a commit instead")


_TAKEN_OVER = timedelta(days=80)
"""Ended jobs are forgotten after 90 days, and with them that they succeeded."""


def _check(old: Pipeline, now: datetime, *, only_failed: bool, only_job: str | None) -> None:
    if only_failed and only_job is not None:
        raise PayloadError(reason="either the failed jobs or one job, not both")
    if only_job is not None and all(ref.name != only_job for ref in old.jobs):
        there = ", ".join(ref.name for ref in old.jobs) or "none"
        raise NotFoundError(reason=f"no job named {only_job}; there are: {there}")
    if only_failed and old.state is not PipelineState.ENDED:
        raise PayloadError(reason="it has not ended; cancel it, or wait for its end", status=409)
    if only_failed and old.ended_at is not None and old.ended_at < now - _TAKEN_OVER:
        days = _TAKEN_OVER.days
        raise PayloadError(reason=f"it ended over {days} days ago; run all of it again", status=409)
    if only_failed and not old.jobs:
        raise PayloadError(reason="it has no jobs; run all of it again", status=409)


def _is_the_same(there: Pipeline, wanted: Pipeline) -> bool:
    open_ = there.state is not PipelineState.ENDED
    kind = (wanted.only_job, wanted.failed_of)
    return open_ and (there.only_job, there.failed_of) == kind


def _identity(old: Pipeline, rerun: int) -> str:
    return pipeline_id(
        installation=old.tenant,
        repository_id=old.source.repository_id,
        event=old.event,
        head_sha=old.source.sha,
        ref=old.source.ref,
        rerun=rerun,
    )
