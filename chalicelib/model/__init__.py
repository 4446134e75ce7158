"""The values that everything above passes around: pipelines, jobs, attempts, hosts, tenants.

Nothing here does I/O, reads a clock or decides. `states.TRANSITIONS` is the one table of what may
happen to a job.
"""

from chalicelib.model.attempt import (
    MAX_CHUNK_BYTES,
    MAX_STEPS,
    OutputChunk,
    Report,
    Result,
    StepRecord,
    StepState,
    parse_report,
    parse_result,
)
from chalicelib.model.graph import Advance, advance, in_order, waiting_for
from chalicelib.model.names import (
    attempt_name,
    container_name,
    group_id,
    job_id,
    parse_container_name,
    pipeline_id,
)
from chalicelib.model.records import (
    Group,
    Host,
    Job,
    JobRef,
    Pipeline,
    PipelineState,
    Pool,
    Source,
    Tenant,
    pipeline_outcome,
)
from chalicelib.model.spec import CheckoutStep, JobSpec, RunStep, Step, When
from chalicelib.model.states import (
    HOLDS_SLOT,
    LIVE,
    QUEUED,
    TRANSITIONS,
    Event,
    HostState,
    JobState,
    Outcome,
)

__all__ = [
    "HOLDS_SLOT",
    "LIVE",
    "MAX_CHUNK_BYTES",
    "MAX_STEPS",
    "QUEUED",
    "TRANSITIONS",
    "Advance",
    "CheckoutStep",
    "Event",
    "Group",
    "Host",
    "HostState",
    "Job",
    "JobRef",
    "JobSpec",
    "JobState",
    "Outcome",
    "OutputChunk",
    "Pipeline",
    "PipelineState",
    "Pool",
    "Report",
    "Result",
    "RunStep",
    "Source",
    "Step",
    "StepRecord",
    "StepState",
    "Tenant",
    "When",
    "advance",
    "attempt_name",
    "container_name",
    "group_id",
    "in_order",
    "job_id",
    "parse_container_name",
    "parse_report",
    "parse_result",
    "pipeline_id",
    "pipeline_outcome",
    "waiting_for",
]
