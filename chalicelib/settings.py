"""The only file that reads the environment: once, into a frozen value.

Each field's metadata names its variable; `docs/settings.md` lists them, and a test holds the two
equal. Secrets are not settings: `secret_id` says where they are kept.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

from chalicelib.errors import SettingError

__all__ = ["Settings"]


def _setting(variable: str, default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"variable": variable, "meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that can be set from outside. Durations are whole seconds in the environment."""

    table: str = _setting("BERTH_TABLE", "berth", "DynamoDB table of the queue and the record")
    bucket: str = _setting("BERTH_BUCKET", "berth", "S3 bucket of results and sealed logs")
    secret_id: str = _setting(
        "BERTH_SECRET", "berth", "Secrets Manager id of the webhook, ticket and page secrets"
    )
    run_job_arn: str = _setting("BERTH_RUN_JOB_ARN", "", "ARN of the run_job state machine")
    plan_function: str = _setting("BERTH_PLAN_FUNCTION", "", "name of the plan_pipeline function")
    api_url: str = _setting(
        "BERTH_API_URL", "http://127.0.0.1:8700", "where supervisors reach the API; no final slash"
    )
    github_api_url: str = _setting(
        "BERTH_GITHUB_API_URL", "https://api.github.com", "GitHub's REST API; no final slash"
    )
    lease: timedelta = _setting(
        "BERTH_LEASE_S",
        timedelta(seconds=90),
        "right of an attempt to its job, renewed by each heartbeat",
    )
    claim_lease: timedelta = _setting(
        "BERTH_CLAIM_LEASE_S", timedelta(seconds=120), "right of a claim until its host is bound"
    )
    heartbeat: timedelta = _setting(
        "BERTH_HEARTBEAT_S", timedelta(seconds=30), "time between a supervisor's heartbeats"
    )
    sweep_period: timedelta = _setting(
        "BERTH_SWEEP_PERIOD_S", timedelta(seconds=60), "time between sweeps, as scheduled"
    )
    plan_grace: timedelta = _setting(
        "BERTH_PLAN_GRACE_S",
        timedelta(seconds=30),
        "age at which an unplanned pipeline is planned again",
    )
    max_attempts: int = _setting(
        "BERTH_MAX_ATTEMPTS", 3, "attempts at a job before it ends as infrastructure"
    )
    tenant_limit: int = _setting(
        "BERTH_TENANT_LIMIT", 8, "slots of a tenant that has no limit of its own"
    )
    job_time_limit: timedelta = _setting(
        "BERTH_JOB_TIME_LIMIT_S", timedelta(hours=1), "time limit of one attempt's steps"
    )
    pipeline_deadline: timedelta = _setting(
        "BERTH_PIPELINE_DEADLINE_S",
        timedelta(hours=24),
        "age at which a pipeline and all its jobs end, run or not",
    )
    log_limit_bytes: int = _setting(
        "BERTH_LOG_LIMIT_BYTES", 50 * 1024 * 1024, "output kept of one job"
    )
    container_cpus: int = _setting("BERTH_CONTAINER_CPUS", 2, "processor limit of a container")
    container_memory_mib: int = _setting(
        "BERTH_CONTAINER_MEMORY_MIB", 4096, "memory limit of a container"
    )
    container_disk_gib: int = _setting("BERTH_CONTAINER_DISK_GIB", 20, "disk limit of a container")
    container_processes: int = _setting(
        "BERTH_CONTAINER_PROCESSES", 4096, "process limit of a container"
    )
    host_state_dir: str = _setting(
        "BERTH_HOST_STATE_DIR", "/var/lib/berth", "where attempts keep their files on the host"
    )
    lxd_socket: str = _setting(
        "BERTH_LXD_SOCKET",
        "/var/lib/lxd/unix.socket",
        "LXD's socket on the machine that is the host",
    )
    lxd_project: str = _setting("BERTH_LXD_PROJECT", "berth", "LXD project that holds all of ours")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Return the settings in `environ` (default: the process's), with defaults for the rest.

        Raises:
            SettingError: a value is not of its type, or not above zero.
        """
        found = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for item in fields(cls):
            variable = item.metadata["variable"]
            if found.get(variable):
                values[item.name] = _parse(variable, found[variable], item.default)
        return cls(**values)


def _parse(variable: str, text: str, default: object) -> Any:
    if isinstance(default, str):
        return text.rstrip("/") if text.startswith("http") else text
    try:
        number = int(text)
    except ValueError as error:
        raise SettingError(name=variable, reason=f"{text!r} is not a whole number") from error
    if number <= 0:
        raise SettingError(name=variable, reason=f"{number} is not above zero")
    return timedelta(seconds=number) if isinstance(default, timedelta) else number
