"""Fetch the config of a pipeline, compile it, admit its jobs, claim what can run at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.buildconfig import compile_config
from chalicelib.errors import ConfigError, InputError
from chalicelib.model import JobRef, JobSpec, Outcome, Pipeline, PipelineState, job_id
from chalicelib.queue.protocol import Admission, NewJob
from chalicelib.services.claim_job import claim_job
from chalicelib.services.context import Berth

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
    the pipeline as failed with the reason.

    Raises:
        GithubUnavailableError: try again later; the sweeper does.
        StoreUnavailableError: the same.
    """
    pipeline = berth.pipelines.get_pipeline(pipeline_id)
    if pipeline is None or pipeline.state is PipelineState.ENDED:
        return Planned(reason="nothing to plan")
    berth.identify(pipeline=pipeline.id, delivery=pipeline.delivery)
    if pipeline.state is PipelineState.RECEIVED:
        try:
            specs = _compile(berth, pipeline)
        except InputError as error:
            _end(berth, pipeline, str(error))
            return Planned(reason=str(error))
        refs = _store(berth, pipeline, specs)
    else:
        refs = pipeline.jobs
    return _admit(berth, pipeline, refs)


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


def _store(berth: Berth, pipeline: Pipeline, specs: Sequence[JobSpec]) -> Sequence[JobRef]:
    refs = [JobRef(id=job_id(pipeline.id, spec.name), name=spec.name) for spec in specs]
    berth.pipelines.put_specs({ref.id: spec for ref, spec in zip(refs, specs, strict=True)})
    # A False means that another planner was faster, with the same jobs: admit them all the same.
    berth.pipelines.mark_planned(pipeline.id, jobs=refs, now=berth.clock.now())
    return refs


def _admit(berth: Berth, pipeline: Pipeline, refs: Sequence[JobRef]) -> Planned:
    ready, pending = [], []
    for ref in refs:
        job = NewJob(
            id=ref.id,
            name=ref.name,
            pipeline=pipeline.id,
            tenant=pipeline.tenant,
            delivery=pipeline.delivery,
        )
        match berth.queue.admit(job, now=berth.clock.now()):
            case Admission.READY:
                ready.append(ref.id)
                # At once and by key: the index may lag, and the stream is a hint, not the path.
                claim_job(berth, ref.id, pool=job.pool)
            case Admission.PENDING:
                pending.append(ref.id)
            case Admission.EXISTS:
                continue
    berth.pipelines.mark_admitted(pipeline.id)
    return Planned(ready=tuple(ready), pending=tuple(pending))


def _end(berth: Berth, pipeline: Pipeline, reason: str) -> None:
    berth.pipelines.end_pipeline(
        pipeline.id, outcome=Outcome.FAILED, reason=reason, now=berth.clock.now()
    )
