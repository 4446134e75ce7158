"""Puts one world together from a seed: the product's services, over everything simulated.

There is one `Berth`, and its clock is that of whoever's turn it is, so each actor sees the time of
its own machine. Nothing here decides what happens; that is `scenario`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Any

from chalicelib.errors import FenceLostError, NotFoundError
from chalicelib.fleet.memory import MemoryInstances
from chalicelib.keyring.memory import MemoryKeyring
from chalicelib.keyring.signing import Ticket, open_ticket
from chalicelib.model import Host, Report, Result
from chalicelib.queue.dynamodb import DynamoQueue
from chalicelib.queue.dynamodb_pipelines import DynamoPipelines
from chalicelib.queue.dynamodb_tenants import SHARD_SLOTS
from chalicelib.services.context import Berth, Policy
from chalicelib.services.dispatch_attempt import dispatch_attempt
from chalicelib.services.end_attempt import end_attempt
from chalicelib.services.finish_job import finish_job
from chalicelib.services.plan_pipeline import plan_pipeline
from chalicelib.services.record_report import record_report
from chalicelib.services.recover_attempt import recover_attempt
from chalicelib.simulation.boundary import Boundary
from chalicelib.simulation.deployment import NEW, Deployment
from chalicelib.simulation.engine import ActorClock, Engine
from chalicelib.simulation.faults import Faults, FaultSource
from chalicelib.simulation.github import SimulatedGithub
from chalicelib.simulation.history import History
from chalicelib.simulation.hosts import Machine, SimulatedDriver
from chalicelib.simulation.lambdas import Lambdas
from chalicelib.simulation.logs import logs_over
from chalicelib.simulation.machine import StateMachine
from chalicelib.simulation.planner import Planner
from chalicelib.simulation.sequencer import SimulatedSequencer
from chalicelib.simulation.store import Store
from chalicelib.simulation.supervisors import Office

__all__ = ["DEFAULT_LIMIT", "Climate", "World"]

DEFAULT_LIMIT = 2
_WORST_SKEWS_MS = (0, 0, 0, 1_000, 60_000)
_SILENCE = {"States.HeartbeatTimeout", "States.Timeout"}
_SLIGHT_SKEW_MS = 1_000
_WEIGHTS = ((75, 15, 10), (30, 10, 60))
_SHARD_SLOTS = (SHARD_SLOTS, SHARD_SLOTS, 1, 2)
"""Of one shard: nobody is sharded, everybody from the start, or who is given more than two slots."""
_DEPLOYED_MS = ((0, 0), (0, 0), (20_000, 400_000), (60_000, 180_000))
_LONGEST_LAGS_MS = (0, 1_000, 30_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Climate:
    """What holds all the time in one world.

    Attributes:
        worst_skew_ms: how far a machine's clock may be off, either way.
        longest_lag_ms: of the index.
        weights: of builds that succeed, fail, end for an infrastructure reason.
        builds_short: whether builds take seconds from the start.
        slots: of each host.
        shard_slots: of one shard of a tenant.
        deployed_ms: between which times functions of two releases start; (0, 0) is never.
    """

    worst_skew_ms: int = 0
    longest_lag_ms: int = 0
    weights: tuple[int, int, int] = (1, 0, 0)
    builds_short: bool = True
    slots: int = 2
    shard_slots: int = SHARD_SLOTS
    deployed_ms: tuple[int, int] = (0, 0)

    @classmethod
    def drawn(cls, random: Random) -> "Climate":
        """Return one of those there are."""
        return cls(
            worst_skew_ms=random.choice(_WORST_SKEWS_MS),
            longest_lag_ms=random.choice(_LONGEST_LAGS_MS),
            weights=random.choice(_WEIGHTS),
            builds_short=False,
            slots=random.choice((1, 2)),
            shard_slots=random.choice(_SHARD_SLOTS),
            deployed_ms=random.choice(_DEPLOYED_MS),
        )


class World:
    """Everything there is in one seed's run.

    Attributes:
        seed: what it all follows from.
        random: of the scenario.
        engine, history, faults, boundary, lambdas, store, machine, github: the simulated services.
        hosts: the machines, by id.
        deployment: which release functions are of.
    """

    def __init__(
        self,
        seed: int,
        *,
        keep: bool = False,
        faults: FaultSource | None = None,
        climate: Climate | None = None,
    ) -> None:
        """Build the world.

        Args:
            seed: what it all follows from.
            keep: keep the history as text.
            faults: what befalls calls; default: drawn from the seed.
            climate: what holds all the time; default: the same.
        """
        self.seed = seed
        self.random = Random(f"scenario {seed}")
        self.engine, self.history = Engine(), History(keep=keep)
        self.faults = faults or Faults(Random(f"faults {seed}"))
        climate = climate or Climate.drawn(self.random)
        self.boundary = Boundary(self.engine, self.faults, self.history, Random(f"boundary {seed}"))
        self.history.skewed = climate.worst_skew_ms > _SLIGHT_SKEW_MS
        begin_ms, end_ms = climate.deployed_ms
        self.deployment = Deployment(
            self.engine, Random(f"deployment {seed}"), begin_ms=begin_ms, end_ms=end_ms
        )
        self.lambdas = Lambdas(self.boundary, self.deployment, worst_skew_ms=climate.worst_skew_ms)
        self.store = Store(
            self.boundary,
            longest_lag_ms=climate.longest_lag_ms,
            default_limit=DEFAULT_LIMIT,
        )
        self.boundary.effect = self.store.watch.effect
        self.machine = StateMachine(self.boundary, self.lambdas, self._handlers())
        planner = Planner(self.boundary, self.lambdas, lambda it: plan_pipeline(self.berth, it))
        self.github = SimulatedGithub(self.boundary)
        self.builds_short = climate.builds_short
        self.slots = climate.slots
        self._office = Office(
            boundary=self.boundary,
            lambdas=self.lambdas,
            report=self._report,
            end=self._end,
            told_lost=self.store.watch.told_lost,
            duration_ms=self._duration_ms,
            weights=climate.weights,
        )
        self.hosts: dict[str, Machine] = {}
        self._berths = self._make_berths(planner, shard_slots=climate.shard_slots)

    @property
    def berth(self) -> Berth:
        """What the product's services are given, in the release of whoever's turn it is."""
        actor = self.engine.current
        return self._berths[NEW if actor is None or actor.version is None else actor.version]

    def add_host(self, name: str) -> Machine:
        """Switch on a machine of that name. It still has to be registered."""
        self.hosts[name] = Machine(name, self.boundary, self._office)
        return self.hosts[name]

    def _make_berths(self, planner: Planner, *, shard_slots: int) -> dict[int, Berth]:
        """Return a berth for each release: they differ in what they read and write of items."""
        nonces, clock = count(), ActorClock(self.engine)
        queues = {
            version: DynamoQueue(table, default_limit=DEFAULT_LIMIT, shard_slots=shard_slots)
            for version, table in self.store.tables.items()
        }
        made = Berth(
            queue=queues[NEW],
            pipelines=DynamoPipelines(self.store.tables[NEW]),
            logs=logs_over(self.store, self.boundary, clock),
            github=self.github,
            sequencer=SimulatedSequencer(self.boundary, self.machine, planner),
            keyring=MemoryKeyring(),
            host=self._drive,
            instances=MemoryInstances(),
            clock=clock,
            nonce=lambda: f"nonce-{next(nonces)}",
            policy=Policy(),
            random=Random(f"services {self.seed}"),
        )
        return {
            version: replace(made, queue=queues[version], pipelines=DynamoPipelines(table))
            for version, table in self.store.tables.items()
        }

    def _drive(self, host: Host) -> SimulatedDriver:
        return SimulatedDriver(self.hosts[host.id], self.boundary)

    def _handlers(self) -> dict[str, Any]:
        return {
            "DispatchAttemptArn": self._dispatch,
            "FinishJobArn": self._finish,
            "RecoverAttemptArn": self._recover,
        }

    def _dispatch(self, event: Mapping[str, Any]) -> object:
        token = event["task_token"]
        return dispatch_attempt(
            self.berth, job=event["job"], fence=event["fence"], task_token=token
        )

    def _finish(self, event: Mapping[str, Any]) -> object:
        try:
            return finish_job(self.berth, job=event["job"], fence=event["fence"])
        except (FenceLostError, NotFoundError):
            return "stale"  # as the entrypoint answers

    def _recover(self, event: Mapping[str, Any]) -> object:
        cause = event["error"]["Error"]
        decision = recover_attempt(
            self.berth,
            job=event["job"],
            fence=event["fence"],
            cause=cause,
            silent=cause in _SILENCE,  # as the entrypoint says
        )
        self.boundary.note(f"recover_attempt {event['job']}-{event['fence']}: {decision}")
        return decision

    def _report(self, job: str, fence: int, ticket: str, report: Report) -> bool:
        opened = self._opened(job, fence, ticket)
        cancelling = record_report(self.berth, ticket=opened, report=report)
        self.store.watch.logs.acknowledged((job, fence), report.output)
        return cancelling

    def _end(self, job: str, fence: int, ticket: str, result: Result) -> None:
        end_attempt(self.berth, ticket=self._opened(job, fence, ticket), result=result)

    def _opened(self, job: str, fence: int, ticket: str) -> Ticket:
        now = self.berth.clock.now()
        key = self.berth.keyring.keys(now=now).ticket
        return open_ticket(ticket, key, job=job, fence=fence, now=now)

    def _duration_ms(self) -> int:
        if self.builds_short:
            return self.random.randint(1_000, 20_000)
        longest_s = self.random.choice((10, 60, 200))
        return self.random.randint(1_000, longest_s * 1_000)
