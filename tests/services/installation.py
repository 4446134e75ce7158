"""A whole installation over the verified fakes, with a clock that tests move."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from chalicelib.clock import ManualClock
from chalicelib.fleet.memory import MemoryHost, MemoryInstances
from chalicelib.github.memory import MemoryGithub
from chalicelib.keyring.memory import MemoryKeyring
from chalicelib.logs.memory import MemoryLogs
from chalicelib.model import Host, Job, Outcome, Pipeline, Result, Source, pipeline_id
from chalicelib.queue.dynamodb import DynamoQueue
from chalicelib.queue.dynamodb_pipelines import DynamoPipelines
from chalicelib.queue.memory import memory_table
from chalicelib.sequencer.memory import MemorySequencer
from chalicelib.services.context import Berth, Policy
from chalicelib.services.plan_pipeline import plan_pipeline

CONFIG = b"""\
version: 2.1
jobs:
  build:
    steps:
      - checkout
      - run: make test
"""
SHA = "a" * 40


@dataclass(slots=True, kw_only=True)
class Site:
    """A whole installation in memory."""

    berth: Berth
    clock: ManualClock
    queue: DynamoQueue
    pipelines: DynamoPipelines
    logs: MemoryLogs
    github: MemoryGithub
    sequencer: MemorySequencer
    host: MemoryHost
    keyring: MemoryKeyring
    count: Iterator[int] = field(default_factory=itertools.count)

    def receive(self, *, config: bytes | None = CONFIG, only_job: str | None = None) -> Pipeline:
        """Store a pipeline as the webhook does."""
        rerun = next(self.count)
        source = Source(
            repository="o/r",
            repository_id="1",
            clone_url="http://forge/o/r.git",
            sha=SHA,
            ref="refs/heads/main",
        )
        if config is not None:
            self.put_file(".circleci/config.yml", config)
        pipeline = Pipeline(
            id=pipeline_id(
                installation="7",
                repository_id="1",
                event="push",
                head_sha=SHA,
                ref=source.ref,
                rerun=rerun,
            ),
            tenant="7",
            event="push",
            source=source,
            delivery=f"delivery-{rerun}",
            received_at=self.clock.now(),
            rerun=rerun,
            only_job=only_job,
        )
        self.pipelines.put_pipeline(pipeline)
        return pipeline

    def put_file(self, path: str, content: bytes) -> None:
        """Put a file into the commit that pipelines are of."""
        self.github.put_file("o/r", SHA, path, content)

    def plan(self) -> Job:
        """Receive and plan a pipeline of one job; return the job as it is then."""
        pipeline = self.receive()
        plan_pipeline(self.berth, pipeline.id)
        return self.jobs(pipeline.id)[0]

    def jobs(self, pipeline: str) -> list[Job]:
        """Return the pipeline's jobs."""
        planned = self.pipelines.get_pipeline(pipeline)
        assert planned is not None
        found = self.queue.get_jobs(ref.id for ref in planned.jobs)
        return [found[ref.id] for ref in planned.jobs]

    def job(self, job: str) -> Job:
        """Return the job as it is now."""
        found = self.queue.get_job(job)
        assert found is not None
        return found

    def slots_taken(self) -> int:
        """Return how many of the host's slots are taken."""
        host = self.queue.get_host("h1")
        assert host is not None
        return len(host.jobs)

    def pass_time(self, duration: timedelta) -> None:
        """Move the clock."""
        self.clock.advance(duration)


def result(outcome: Outcome = Outcome.SUCCEEDED, reason: str = "") -> Result:
    """Return a result without steps."""
    return Result(outcome=outcome, reason=reason, steps=())


def make_site(
    *,
    slots: int = 2,
    tenant_limit: int = 3,
    lag: Callable[[], timedelta] = lambda: timedelta(0),
) -> Site:
    """Return an installation in memory, whose index lags by what `lag` says at each change."""
    clock = ManualClock()
    table, logs = memory_table(clock=clock, lag=lag), MemoryLogs()
    queue, pipelines = DynamoQueue(table, default_limit=tenant_limit), DynamoPipelines(table)
    github, sequencer, host = MemoryGithub(), MemorySequencer(), MemoryHost()
    keyring = MemoryKeyring()
    nonces = (f"nonce-{number}" for number in itertools.count())
    drive: Callable[[Host], MemoryHost] = lambda _: host  # noqa: E731 - one host, whoever asks
    berth = Berth(
        queue=queue,
        pipelines=pipelines,
        logs=logs,
        github=github,
        sequencer=sequencer,
        keyring=keyring,
        host=drive,
        instances=MemoryInstances(),
        clock=clock,
        nonce=lambda: next(nonces),
        policy=Policy(),
    )
    queue.register_host(Host(id="h1", slots=slots, generation=host.generation()))
    return Site(
        keyring=keyring,
        berth=berth,
        clock=clock,
        queue=queue,
        pipelines=pipelines,
        logs=logs,
        github=github,
        sequencer=sequencer,
        host=host,
    )
