"""Pipelines, jobs, pools and tenants as the JSON that the API gives. Shapes only."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.model import Host, Job, Pipeline, Tenant

__all__ = ["host_document", "job_document", "pipeline_document", "tenant_document", "time_text"]


def time_text(moment: datetime | None) -> str | None:
    """Return a time as ISO 8601, with its offset."""
    return moment.isoformat() if moment else None


def pipeline_document(pipeline: Pipeline) -> dict[str, Any]:
    """Return a pipeline. Its jobs are only named; `needs` has the names of others of them."""
    source = pipeline.source
    names = {ref.id: ref.name for ref in pipeline.jobs}
    return {
        "id": pipeline.id,
        "state": pipeline.state.value,
        "outcome": pipeline.outcome.value if pipeline.outcome else None,
        "reason": pipeline.reason,
        "tenant": pipeline.tenant,
        "event": pipeline.event,
        "delivery": pipeline.delivery,
        "repository": source.repository,
        "sha": source.sha,
        "ref": source.ref,
        "title": source.title,
        "author": source.author,
        "received_at": time_text(pipeline.received_at),
        "planned_at": time_text(pipeline.planned_at),
        "ended_at": time_text(pipeline.ended_at),
        "jobs": [
            {"id": ref.id, "name": ref.name, "needs": [names[need] for need in ref.needs]}
            for ref in pipeline.jobs
        ],
    }


def job_document(job: Job) -> dict[str, Any]:
    """Return a job as it is recorded."""
    return {
        "id": job.id,
        "name": job.name,
        "pipeline": job.pipeline,
        "tenant": job.tenant,
        "pool": job.pool,
        "state": job.state.value,
        "outcome": job.outcome.value if job.outcome else None,
        "reason": job.reason,
        "fence": job.fence,
        "attempts": job.attempts,
        "host": job.host,
        "hops": {name: time_text(moment) for name, moment in job.hops.items()},
    }


def host_document(host: Host) -> Mapping[str, Any]:
    """Return a host and how many of its slots are taken."""
    return {
        "id": host.id,
        "state": host.state.value,
        "slots": host.slots,
        "taken": len(host.jobs),
    }


def tenant_document(tenant: Tenant) -> Mapping[str, Any]:
    """Return a tenant; `running` is how many slots its jobs hold."""
    return {
        "id": tenant.id,
        "limit": tenant.limit,
        "weight": tenant.weight,
        "running": len(tenant.jobs),
    }
