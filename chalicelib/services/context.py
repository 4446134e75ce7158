"""What every service is given: the drivers, the clock, and the numbers that rule them.

Services take one `Berth` and the particulars of the call. They never choose a driver, read a
setting or the time by themselves; `wiring` builds this value.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from secrets import SystemRandom
from typing import Protocol

from chalicelib.clock import Clock
from chalicelib.fleet.protocol import ContainerLimits, HostDriver, Instances
from chalicelib.github.protocol import Github
from chalicelib.keyring.protocol import Keyring
from chalicelib.logs.protocol import LogStore
from chalicelib.model import Host
from chalicelib.queue.protocol import JobQueue, PipelineStore
from chalicelib.sequencer.protocol import Sequencer
from chalicelib.wait import Randomness

__all__ = ["Berth", "Identify", "Policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The numbers. Meanings and defaults are those of `settings.Settings`."""

    lease: timedelta = timedelta(seconds=90)
    claim_lease: timedelta = timedelta(seconds=120)
    heartbeat: timedelta = timedelta(seconds=30)
    sweep_period: timedelta = timedelta(seconds=60)
    plan_grace: timedelta = timedelta(seconds=30)
    max_attempts: int = 3
    job_time_limit: timedelta = timedelta(hours=1)
    pipeline_deadline: timedelta = timedelta(hours=24)
    log_limit_bytes: int = 50 * 1024 * 1024
    limits: ContainerLimits = field(default_factory=ContainerLimits)
    api_url: str = "http://127.0.0.1:8700"
    lxd_socket: str = "/var/lib/lxd/unix.socket"
    lxd_project: str = "berth"
    host_state_dir: str = "/var/lib/berth"

    @property
    def longest_sweep_gap(self) -> timedelta:
        """The time between two sweeps from which on the store counts as having been away.

        One sweep that did not come, and no more: the protocol's two periods (section 1.7) let an
        outage pass that silences every build for as long as its heartbeats may stay out.
        """
        return self.sweep_period * 3 / 2


class Identify(Protocol):
    """Puts the identity of the work on the log lines that follow."""

    def __call__(self, *, pipeline: str, delivery: str) -> None:
        """Take the identity; harmless to repeat."""
        ...


def _nobody_logs(*, pipeline: str, delivery: str) -> None:
    """Drop the identity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Berth:
    """The drivers.

    `host` opens the driver of one host, `nonce` returns fresh random text, `random` keeps actors from
    choosing the same, `identify` is told whose work this is as soon as a service has loaded it.
    """

    queue: JobQueue
    pipelines: PipelineStore
    logs: LogStore
    github: Github
    sequencer: Sequencer
    keyring: Keyring
    host: Callable[[Host], HostDriver]
    instances: Instances
    clock: Clock
    nonce: Callable[[], str]
    policy: Policy
    random: Randomness = field(default_factory=SystemRandom)
    identify: Identify = _nobody_logs
