"""The only file that chooses drivers; each is imported where it is needed (cold starts).

A Lambda builds its `Berth` once per process. Drivers connect on first use, so building is cheap.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

from chalicelib.clock import SystemClock
from chalicelib.fleet.protocol import ContainerLimits, HostDriver
from chalicelib.model import Host
from chalicelib.services.context import Berth, Policy
from chalicelib.settings import Settings

__all__ = ["berth", "berth_of", "policy_of", "settings", "using"]


@cache
def settings() -> Settings:
    """Return the settings of this process, read once."""
    return Settings.from_environment()


_given: list[Berth] = []


def berth() -> Berth:
    """Return the drivers of this process: those of its settings, or those given by `using`."""
    return _given[-1] if _given else _chosen()


@contextmanager
def using(given: Berth) -> Iterator[None]:
    """Let this process use these drivers while the block runs: the whole application over fakes."""
    _given.append(given)
    try:
        yield
    finally:
        _given.pop()


@cache
def _chosen() -> Berth:
    from chalicelib.telemetry import identify

    return replace(berth_of(settings()), identify=identify)


def berth_of(chosen: Settings) -> Berth:
    """Return drivers for these settings: AWS at the endpoint that the environment names."""
    from chalicelib.fleet.ec2 import Ec2Instances
    from chalicelib.github.rest import RestGithub
    from chalicelib.keyring.aws import AwsKeyring
    from chalicelib.logs.dynamodb import DynamoLogs
    from chalicelib.queue.dynamodb import DynamoQueue
    from chalicelib.queue.dynamodb_pipelines import DynamoPipelines
    from chalicelib.queue.dynamodb_table import DynamoTable
    from chalicelib.sequencer.aws import AwsSequencer

    clock = SystemClock()
    table = DynamoTable(chosen.table, clock=clock)  # a client of its own would cost each 0.15 s
    return Berth(
        queue=DynamoQueue(table, default_limit=chosen.tenant_limit),
        pipelines=DynamoPipelines(table),
        logs=DynamoLogs(chosen.table, chosen.bucket, clock=clock),
        github=RestGithub(chosen.github_api_url),
        sequencer=AwsSequencer(plan_function=chosen.plan_function, run_job_arn=chosen.run_job_arn),
        keyring=AwsKeyring(secret_id=chosen.secret_id, table=chosen.table),
        host=lambda host: _host(chosen, host),
        instances=Ec2Instances(installation=chosen.table),
        clock=clock,
        nonce=lambda: secrets.token_hex(8),
        policy=policy_of(chosen),
    )


def policy_of(chosen: Settings) -> Policy:
    """Return the numbers that rule the services."""
    return Policy(
        lease=chosen.lease,
        claim_lease=chosen.claim_lease,
        heartbeat=chosen.heartbeat,
        sweep_period=chosen.sweep_period,
        plan_grace=chosen.plan_grace,
        max_attempts=chosen.max_attempts,
        job_time_limit=chosen.job_time_limit,
        pipeline_deadline=chosen.pipeline_deadline,
        log_limit_bytes=chosen.log_limit_bytes,
        limits=ContainerLimits(
            cpus=chosen.container_cpus,
            memory_mib=chosen.container_memory_mib,
            disk_gib=chosen.container_disk_gib,
            processes=chosen.container_processes,
        ),
        api_url=chosen.api_url,
        lxd_socket=chosen.lxd_socket,
        lxd_project=chosen.lxd_project,
        host_state_dir=chosen.host_state_dir,
    )


def _host(chosen: Settings, host: Host) -> HostDriver:
    # One kind of host so far: the machine the functions run on. Others come with the fleet.
    return _local_host(host.id, chosen)


@cache
def _local_host(name: str, chosen: Settings) -> HostDriver:
    from chalicelib.fleet.lxd import LxdHost
    from chalicelib.supervisor.bundle import bundle

    return LxdHost(
        host=name,
        socket=chosen.lxd_socket,
        project=chosen.lxd_project,
        state_dir=chosen.host_state_dir,
        supervisor=bundle(),
    )
