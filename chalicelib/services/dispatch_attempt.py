"""Bring a claimed attempt onto its host: container, lease, supervisor."""

from datetime import timedelta
from typing import Any

from chalicelib.errors import FenceLostError, NotFoundError
from chalicelib.fleet.protocol import AttemptPlan
from chalicelib.keyring.signing import Ticket, seal_ticket
from chalicelib.model import Job, JobSpec, JobState, Outcome, Pipeline, container_name
from chalicelib.services.context import Berth, Policy
from chalicelib.services.finish_job import end_job
from chalicelib.services.supersede_pipeline import SUPERSEDED, is_superseded

__all__ = ["dispatch_attempt"]

_TICKET_SPARE = timedelta(hours=24)
"""A ticket outlives the job's limit by this, so that a control plane that was away still gets its log."""


def dispatch_attempt(berth: Berth, *, job: str, fence: int, task_token: str) -> str:
    """Make the container, bind the job to the host, start the supervisor; return the host's id.

    Safe to repeat: every effect is named by (job, fence).

    Raises:
        FenceLostError: the job has a newer attempt, was cancelled, or has ended.
        HostUnreachableError: the host did not answer.
        ImageMissingError: the host lacks the job's image.
        StoreUnavailableError: the store did not answer.
    """
    dispatched = berth.clock.now()
    record = berth.queue.get_job(job)
    if (
        record is None
        or record.fence != fence
        or record.state not in {JobState.LEASED, JobState.RUNNING}
    ):
        raise FenceLostError(job=job, fence=fence)
    spec, pipeline = _load(berth, record)
    berth.identify(pipeline=pipeline.id, delivery=pipeline.delivery)
    host = berth.queue.get_host(record.host)
    if host is None:
        raise FenceLostError(job=job, fence=fence)
    if is_superseded(berth, pipeline):
        _end_superseded(berth, record)
        raise FenceLostError(job=job, fence=fence)
    plan = _plan(berth, job=record, spec=spec, pipeline=pipeline, task_token=task_token)
    driver = berth.host(host)
    driver.make_container(plan)
    if berth.queue.get_pool(record.pool).failures:
        berth.queue.note_success(record.pool)
    now = berth.clock.now()
    bound = berth.queue.bind(
        job,
        fence=fence,
        host=host.id,
        lease_until=now + berth.policy.lease,
        now=now,
        hops={"dispatched": dispatched},
    )
    if bound is None:
        driver.remove_attempt(job, fence)
        raise FenceLostError(job=job, fence=fence)
    # The last thing: whatever failed behind it would have a build that runs taken away.
    driver.start_supervisor(plan)
    return host.id


def _end_superseded(berth: Berth, record: Job) -> None:
    """End a job whose commit is not its ref's newest: the canceller was killed, or is not here yet."""
    outcome, reason = Outcome.SUPERSEDED, SUPERSEDED
    now = berth.clock.now()
    berth.queue.cancel(record.id, outcome=outcome, reason=reason, now=now)
    if record.state is JobState.LEASED:
        # No container yet. One that runs is stopped by its supervisor, which is told so.
        end_job(berth, job=record.id, fence=record.fence, outcome=outcome, reason=reason)


def _load(berth: Berth, job: Job) -> tuple[JobSpec, Pipeline]:
    spec = berth.pipelines.get_spec(job.id)
    pipeline = berth.pipelines.get_pipeline(job.pipeline)
    if spec is None or pipeline is None:
        raise NotFoundError(reason=f"job {job.id} has no spec or no pipeline")
    return spec, pipeline


def _plan(
    berth: Berth, *, job: Job, spec: JobSpec, pipeline: Pipeline, task_token: str
) -> AttemptPlan:
    now = berth.clock.now()
    ticket = Ticket(
        job=job.id,
        fence=job.fence,
        task_token=task_token,
        pipeline=pipeline.id,
        delivery=pipeline.delivery,
    )
    expires = now + berth.policy.job_time_limit + _TICKET_SPARE
    return AttemptPlan(
        job=job.id,
        fence=job.fence,
        image=spec.image,
        limits=berth.policy.limits,
        ticket=seal_ticket(ticket, berth.keyring.keys(now=now).ticket, expires=expires),
        supervisor={
            **spec.to_json(),
            **_identity(berth.policy, job, pipeline),
            **_surroundings(berth.policy, job),
        },
    )


def _identity(policy: Policy, job: Job, pipeline: Pipeline) -> dict[str, Any]:
    """Return what the attempt is about."""
    source = pipeline.source
    return {
        "version": 1,
        "job": job.id,
        "job_name": job.name,
        "fence": job.fence,
        "pipeline": pipeline.id,
        "build_url": f"{policy.api_url}/pipelines/{pipeline.id}",
        "source": {
            "clone_url": source.clone_url,
            "repository": source.repository,
            "sha": source.sha,
            "ref": source.ref,
        },
    }


def _surroundings(policy: Policy, job: Job) -> dict[str, Any]:
    """Return where the attempt runs, as whom, and within which limits."""
    return {
        "api_url": policy.api_url,
        "container": container_name(job.id, job.fence),
        "lxd_socket": policy.lxd_socket,
        "lxd_project": policy.lxd_project,
        "repository_cache": f"{policy.host_state_dir}/repositories",
        # The user of CircleCI's convenience images, which the base image has too.
        "home": "/home/circleci",
        "uid": 3434,
        "gid": 3434,
        "time_limit_s": policy.job_time_limit.total_seconds(),
        "heartbeat_s": policy.heartbeat.total_seconds(),
        "log_limit_bytes": policy.log_limit_bytes,
    }
