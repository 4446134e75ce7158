"""What one job costs: each verb of the real queue, by the emulator's account and by our own.

The emulator says in each answer what the call consumed; the fake table works it out from the items'
sizes (`chalicelib/queue/units.py`). Where both say the same, neither has forgotten an index.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from pynamodb.connection import Connection

from chalicelib.cli.bench_table import create_queue_table
from chalicelib.errors import LocalStackError
from chalicelib.model import (
    CheckoutStep,
    Host,
    JobRef,
    JobSpec,
    Outcome,
    Pipeline,
    PipelineState,
    RunStep,
    Source,
    job_id,
    pipeline_id,
)
from chalicelib.queue.dynamodb import DynamoQueue
from chalicelib.queue.dynamodb_pipelines import DynamoPipelines
from chalicelib.queue.dynamodb_table import DynamoTable
from chalicelib.queue.memory import memory_table
from chalicelib.queue.protocol import NewJob

__all__ = ["JOB_VERBS", "Units", "compare", "units_both_ways"]

Units = Mapping[str, float]
"""Write units by step: a verb, or a verb of a job that waits in its tenant's backlog, or of a pipeline
(`claim`, `backlog_promote`, `pipeline_put_specs`)."""

JOB_VERBS = ("admit", "claim", "bind", "finish")
"""What a job goes through that finds room. Heartbeats are counted apart."""

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_LEASE = _NOW + timedelta(seconds=120)
_TENANT = "12345678"
_HOST = Host(id="i-0123456789abcdef0", slots=2, generation="f9a36e0c-2ffb-4fd4-9b02-6cbf0a8f5d4a")
_SOURCE = Source(
    repository="acme-corporation/storefront",
    repository_id="987654321",
    clone_url="https://github.com/acme-corporation/storefront.git",
    sha="9f" * 20,
    ref="refs/heads/main",
    before="8e" * 20,
    title="Charge the card once, whatever the gateway answers",
    author="mia",
    default_branch="main",
)
_PIPELINE = Pipeline(
    id=pipeline_id(
        installation=_TENANT,
        repository_id=_SOURCE.repository_id,
        event="push",
        head_sha=_SOURCE.sha,
        ref=_SOURCE.ref,
        rerun=0,
    ),
    tenant=_TENANT,
    event="push",
    source=_SOURCE,
    delivery="72d3162e-cc78-11e3-81ab-4c9367dc0958",
    received_at=_NOW,
)
_FIRST, _SECOND = (job_id(_PIPELINE.id, name) for name in ("build", "test"))
_SPEC = JobSpec(name="build", steps=(CheckoutStep(), RunStep(name="make", command="make test")))


def units_both_ways(connection: Connection) -> tuple[Units, Units]:
    """Return write units of each step by the emulator's account, and by ours, which are the same.

    Raises:
        LocalStackError: the emulator's account is not ours; the reason names the steps.
    """
    name = create_queue_table(connection, "berth-jobs")
    emulator = _units_of(lambda tell: DynamoTable(name, connection=connection, on_write_units=tell))
    ours = _units_of(lambda tell: memory_table(on_write_units=tell))
    compare(emulator, ours)
    return emulator, ours


def compare(emulator: Units, ours: Units) -> None:
    """Return if both accounts say the same.

    Raises:
        LocalStackError: they do not say the same.
    """
    differing = [
        f"{step}: {emulator.get(step)} by the emulator, {ours.get(step)} by units.py"
        for step in sorted({*emulator, *ours})
        if emulator.get(step) != ours.get(step)
    ]
    if differing:
        raise LocalStackError(
            reason="write units do not agree: " + "; ".join(differing),
            cure="compare chalicelib/queue/units.py with what AWS bills",
        )


def _units_of(make: Callable[[Callable[[str, float], None]], DynamoTable]) -> Units:
    """Take two jobs of a tenant with one slot through a new table; return units by step."""
    told: Counter[str] = Counter()

    def tell(verb: str, units: float) -> None:
        told[verb] += units  # type: ignore[assignment]  # a Counter counts fractions as well

    def since() -> dict[str, float]:
        found = dict(told)
        told.clear()
        return dict(found)

    table = make(tell)
    queue, pipelines = DynamoQueue(table, default_limit=1), DynamoPipelines(table)
    host = queue.register_host(_HOST)
    queue.put_tenant_limit(_TENANT, limit=1)  # a tenant's first job ever would make its item too
    since()
    _plan(pipelines)
    pipeline = since()
    _admit(queue, _FIRST)
    first = since()
    _admit(queue, _SECOND)
    second = since()
    _attempt(queue, _FIRST, host)
    first |= since()
    queue.promote(_TENANT, now=_NOW)
    _attempt(queue, _SECOND, host)
    second |= since()
    _end(pipelines)
    pipeline |= since()
    return {
        **first,
        **{f"backlog_{verb}": units for verb, units in second.items()},
        **{f"pipeline_{verb}": units for verb, units in pipeline.items()},
    }


def _admit(queue: DynamoQueue, job: str) -> None:
    new = NewJob(
        id=job,
        name="build",
        pipeline=_PIPELINE.id,
        tenant=_TENANT,
        delivery=_PIPELINE.delivery,
    )
    queue.admit(new, now=_NOW)


def _attempt(queue: DynamoQueue, job: str, host: Host) -> None:
    queue.claim(job, host=host, nonce="0123456789abcdef", lease_until=_LEASE, now=_NOW)
    queue.bind(job, fence=1, host=host.id, lease_until=_LEASE, now=_NOW)
    queue.heartbeat(job, fence=1, lease_until=_LEASE)
    queue.finish(job, fence=1, outcome=Outcome.SUCCEEDED, reason="", now=_NOW)


def _plan(pipelines: DynamoPipelines) -> None:
    pipelines.put_pipeline(_PIPELINE)
    pipelines.put_specs(_PIPELINE.id, {_FIRST: _SPEC})
    pipelines.mark_planned(_PIPELINE.id, jobs=[JobRef(id=_FIRST, name="build")], now=_NOW)


def _end(pipelines: DynamoPipelines) -> None:
    pipelines.end_pipeline(
        _PIPELINE.id,
        seen=PipelineState.PLANNED,
        outcome=Outcome.SUCCEEDED,
        reason="",
        now=_NOW,
    )
