"""Fetch the config of a pipeline, compile it, store its jobs, and start those that need no other."""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.buildconfig import compile_config
from chalicelib.errors import ConfigError, InputError
from chalicelib.model import JobRef, JobSpec, Outcome, Pipeline, PipelineState, job_id
from chalicelib.services.advance_pipeline import advance_pipeline
from chalicelib.services.cancel_pipeline import cancel_pipeline
from chalicelib.services.context import Berth
from chalicelib.services.supersede_pipeline import SUPERSEDED, supersede_older

__all__ = ["CONFIG_FILES", "Planned", "plan_pipeline"]

CONFIG_FILES = (".berth/config.yml", ".circleci/config.yml")
"""Where a config may be; the first that exists wins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What planning did: job ids by what became of them, or why there are none."""

    ready: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    reason: str = ""


def plan_pipeline(berth: Berth, pipeline_id: str) -> Planned:
    """Plan a pipeline. Safe to repeat and to run twice at once: ids and specs are the same.

    A config that cannot be compiled, a missing one, and a repository that GitHub does not know end
    the pipeline as failed with the reason. One that a newer push made superfluous ends at once.

    Raises:
        GithubUnavailableError: try again later; the sweeper does.
        StoreUnavailableError: the same.
    """
    pipeline = berth.pipelines.get_pipeline(pipeline_id)
    if pipeline is None or pipeline.state is PipelineState.ENDED:
        return Planned(reason="nothing to plan")
    berth.identify(pipeline=pipeline.id, delivery=pipeline.delivery)
    if not supersede_older(berth, pipeline):
        cancel_pipeline(berth, pipeline_id, outcome=Outcome.SUPERSEDED, reason=SUPERSEDED)
        return Planned(reason=SUPERSEDED)
    if pipeline.state is PipelineState.RECEIVED:
        try:
            _store(berth, pipeline, _compile(berth, pipeline))
        except InputError as error:
            # Not only a config that is wrong: one may compile to more than can be stored, too.
            _end(berth, pipeline, str(error))
            return Planned(reason=str(error))
    advanced = advance_pipeline(berth, pipeline_id)
    return Planned(ready=advanced.ready, pending=advanced.pending)


def _compile(berth: Berth, pipeline: Pipeline) -> Sequence[JobSpec]:
    for file in CONFIG_FILES:
        text = berth.github.read_file(pipeline.source, file)
        if text is not None:
            specs = compile_config(text, file=file)
            return specs if pipeline.only_job is None else _only(specs, pipeline.only_job, file)
    reason = f"there is no config at this commit: looked for {' and '.join(CONFIG_FILES)}"
    raise ConfigError(file=CONFIG_FILES[-1], line=0, key="", reason=reason)


def _only(specs: Sequence[JobSpec], name: str, file: str) -> Sequence[JobSpec]:
    found = [spec for spec in specs if spec.name == name]
    if not found:
        there = ", ".join(spec.name for spec in specs)
        raise ConfigError(
            file=file, line=0, key="jobs", reason=f"no job named {name}; there are: {there}"
        )
    return found


def _store(berth: Berth, pipeline: Pipeline, specs: Sequence[JobSpec]) -> None:
    succeeded = _succeeded_before(berth, pipeline)
    ids = {spec.name: succeeded.get(spec.name) or job_id(pipeline.id, spec.name) for spec in specs}
    refs = [
        JobRef(
            id=ids[spec.name],
            name=spec.name,
            # What is not in the pipeline (a re-run of one job) is not waited for.
            needs=tuple(ids[need] for need in spec.needs if need in ids),
        )
        for spec in specs
    ]
    new = {ids[spec.name]: spec for spec in specs if spec.name not in succeeded}
    berth.pipelines.put_specs(pipeline.id, new)
    # A False means that another planner was faster, with the same jobs, or that it was cancelled.
    berth.pipelines.mark_planned(pipeline.id, jobs=refs, now=berth.clock.now())


def _succeeded_before(berth: Berth, pipeline: Pipeline) -> dict[str, str]:
    """Return name → id of the jobs that a re-run of failed jobs takes over as they are."""
    old = berth.pipelines.get_pipeline(pipeline.failed_of) if pipeline.failed_of else None
    if old is None:
        return {}
    jobs = berth.queue.get_jobs(ref.id for ref in old.jobs)
    return {
        ref.name: ref.id
        for ref in old.jobs
        if ref.id in jobs and jobs[ref.id].outcome is Outcome.SUCCEEDED
    }


def _end(berth: Berth, pipeline: Pipeline, reason: str) -> None:
    berth.pipelines.end_pipeline(
        pipeline.id,
        seen=PipelineState.RECEIVED,
        outcome=Outcome.FAILED,
        reason=reason,
        now=berth.clock.now(),
    )
