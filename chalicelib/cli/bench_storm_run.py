"""One storm of deliveries through the real services, and what is counted of it.

Real are intake, planner, admission, claims, finishes and the table; GitHub gives every commit the
same config, and hosts finish each attempt as soon as it is started.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from typing import Any, TypeVar

from chalicelib.cli.bench_storm_deliveries import CONFIG, Storm
from chalicelib.cli.bench_table import (
    MeteredConnection,
    berth_over,
    cpu_s,
    create_queue_table,
    register_hosts,
)
from chalicelib.local.emulator import Emulator
from chalicelib.local.progress import Progress
from chalicelib.model import Outcome, Result, Source
from chalicelib.queue.dynamodb_table import DynamoTable
from chalicelib.sequencer.memory import MemorySequencer
from chalicelib.services.claim_job import claim_ready
from chalicelib.services.finish_job import finish_job
from chalicelib.services.plan_pipeline import plan_pipeline
from chalicelib.services.receive_delivery import Received, receive_delivery

__all__ = ["Conservation", "StormRun", "conservation"]

_TENTH = 10
_WORKERS = 4
_POOL = "default"
_HOSTS, _SLOTS = 4, 2
_TENANT_LIMIT = 4
_SAMPLES = 8
_LEASE = timedelta(hours=1)
_EVERYTHING = 1_000_000

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conservation:
    """What went in and what came out, as multisets: Jepsen's total-queue. All empty is well.

    Attributes:
        lost: was acknowledged, and is not there.
        unexpected: is there, and nobody asked for it.
        duplicated: is there more than once.
    """

    lost: tuple[str, ...]
    unexpected: tuple[str, ...]
    duplicated: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.unexpected or self.duplicated)


def conservation(expected: Iterable[str], found: Iterable[str]) -> Conservation:
    """Return what is wrong with what came out.

    >>> conservation("abc", "bccd")
    Conservation(lost=('a',), unexpected=('d',), duplicated=('c',))
    """
    wanted, counted = set(expected), Counter(found)
    return Conservation(
        lost=tuple(sorted(wanted - set(counted))),
        unexpected=tuple(sorted(set(counted) - wanted)),
        duplicated=tuple(sorted(each for each, count in counted.items() if count > 1)),
    )


class _OneConfig:
    """A GitHub on which every commit has the same config."""

    def read_file(self, source: Source, path: str, *, max_bytes: int = 1 << 20) -> bytes | None:
        """See `Github.read_file`."""
        return CONFIG if path.startswith(".circleci") and source.sha and max_bytes else None

    def read_head(self, source: Source) -> str | None:
        """See `Github.read_head`."""
        return source.sha


class _PretendSequencer(MemorySequencer):
    """Keeps the attempts that were started, for hosts that finish them at once."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts: deque[tuple[str, int]] = deque()

    def start(self, job: str, fence: int) -> None:
        """See `Sequencer.start`."""
        self.attempts.append((job, fence))


@dataclass(slots=True)
class _Counted:
    """What has happened, in the order it did. Appending to a list is safe among threads."""

    accepted: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """Jobs that were finished, and what it took."""

    jobs: int
    time_s: float
    cpu_s: float

    @property
    def rate(self) -> float:
        """Jobs a second."""
        return self.jobs / self.time_s

    @property
    def cpu_ms(self) -> float:
        """Processor time of a job."""
        return self.cpu_s / self.jobs * 1000


class StormRun:
    """One storm over a table of its own."""

    def __init__(self, storm: Storm, emulator: Emulator, *, finish: int) -> None:
        """Prepare the storm; of its jobs only `finish` are finished."""
        self._storm = storm
        self._emulator = emulator
        self._connection = connection = MeteredConnection(emulator.url)
        self._table = table = DynamoTable(
            create_queue_table(connection, "berth-storm"), connection=connection
        )
        self._finish = finish
        self._sequencer = _PretendSequencer()
        self._berth = berth_over(
            table, tenant_limit=_TENANT_LIMIT, sequencer=self._sequencer, github=_OneConfig()
        )
        now = self._berth.clock.now()
        self._secret = self._berth.keyring.keys(now=now).webhook[0].reveal()
        self._counted = _Counted()

    def figures(self, progress: Progress) -> dict[str, Any]:
        """Let the storm come in, work it off, and count."""
        storm, counted = self._storm, self._counted
        self._berth.queue.pause(_POOL, reason="the storm comes first")
        with progress.step(f"{storm.deliveries:,} deliveries come in"):
            intake_s = _each(storm.order(), self._receive, progress)
        with progress.step(f"{storm.pushes:,} pipelines are planned"):
            few_units, all_units = self._plan_all(progress)
        with progress.step(f"{self._finish:,} jobs are claimed and finished"):
            dequeues = self._work_off(progress)
        with progress.step("what came out is counted"):
            pipelines = conservation(map(storm.pipeline, range(storm.pushes)), self._pipelines())
            jobs = conservation(map(storm.job, range(storm.pushes)), self._jobs())
        return {
            "deliveries": storm.deliveries,
            "pushes": storm.pushes,
            "accepted": len(counted.accepted),
            "duplicates": len(counted.duplicates),
            "deliveries_per_s": storm.deliveries / intake_s,
            "jobs_finished": len(counted.finished),
            "pipelines": _told(pipelines),
            "jobs": _told(jobs),
            "conserved": self._acknowledged() and pipelines.holds and jobs.holds,
            "units_per_dequeue_tenth_waiting": few_units,
            "units_per_dequeue_all_waiting": all_units,
            **dequeues,
        }

    def _acknowledged(self) -> bool:
        """Return whether each push was answered as new once, and otherwise as known."""
        counted, storm = self._counted, self._storm
        return (
            len(counted.accepted) == len(set(counted.accepted)) == storm.pushes
            and len(counted.accepted) + len(counted.duplicates) == storm.deliveries
        )

    def _receive(self, push: int) -> None:
        delivery = self._storm.delivery(push, secret=self._secret)
        answer = receive_delivery(
            self._berth,
            event="push",
            delivery=delivery.guid,
            signature=delivery.signature,
            content_type="application/json",
            body=delivery.body,
        )
        match answer:
            case Received(duplicate=False):
                self._counted.accepted.append(answer.pipeline)
            case Received():
                self._counted.duplicates.append(answer.pipeline)
            case _:
                raise AssertionError(f"push {push} was answered {answer}")

    def _plan_all(self, progress: Progress) -> tuple[float, float]:
        """Plan all pipelines; return units of a claim with a tenth of them waiting, and with all."""
        planned, tenth = self._sequencer.planned, len(self._sequencer.planned) // _TENTH
        _each(planned[:tenth], self._plan, progress)
        few_units = self._claim_units()
        self._berth.queue.pause(_POOL, reason="the storm comes first")
        _each(planned[tenth:], self._plan, progress)
        return few_units, self._claim_units()

    def _plan(self, pipeline: str) -> None:
        plan_pipeline(self._berth, pipeline)

    def _work_off(self, progress: Progress) -> dict[str, float]:
        """Finish jobs; return rates of the first and the last tenth, and units of a late claim."""
        tenth = self._finish // _TENTH
        first = self._finish_until(tenth, progress)
        self._finish_until(self._finish - tenth, progress)
        last_units = self._claim_units()
        last = self._finish_until(self._finish, progress)
        return {
            "dequeues_per_s_first_tenth": first.rate,
            "dequeues_per_s_last_tenth": last.rate,
            "dequeue_rate_ratio": last.rate / first.rate,
            "dequeue_cpu_ms_first_tenth": first.cpu_ms,
            "dequeue_cpu_ms_last_tenth": last.cpu_ms,
            "dequeue_cpu_ratio": last.cpu_ms / first.cpu_ms,
            "units_per_dequeue_last": last_units,
        }

    def _claim_units(self) -> float:
        """Return read and write units of a claim while nobody else is at work; the pool goes on."""
        # All slots may be taken. Each host gets more, so that there are as many hosts as ever.
        self._register_hosts(_SLOTS + _SAMPLES // _HOSTS)
        self._berth.queue.pause(_POOL, reason="")
        before, claims = self._connection.cost, 0
        for _ in range(_SAMPLES):
            claims += len(claim_ready(self._berth, pool=_POOL, most=1))
        units = (self._connection.cost - before).units
        self._register_hosts(_SLOTS)
        return units / claims if claims else 0.0

    def _register_hosts(self, slots: int) -> None:
        register_hosts(self._berth, pool=_POOL, hosts=_HOSTS, slots=slots)

    def _finish_until(self, total: int, progress: Progress) -> _Stretch:
        """Let the hosts finish what is started, until so many jobs are done."""
        finished, attempts = self._counted.finished, self._sequencer.attempts
        before, started, cpu_before = len(finished), time.perf_counter(), cpu_s(self._emulator)

        def work(stop: Event) -> None:
            while len(finished) < total and not stop.is_set():
                try:
                    job, fence = attempts.popleft()
                except IndexError:
                    claim_ready(self._berth, pool=_POOL)
                    continue
                self._run(job, fence)
                progress.detail(f"{len(finished):,} of {self._finish:,}")

        _in_threads(work)
        return _Stretch(
            jobs=max(1, len(finished) - before),
            time_s=time.perf_counter() - started,
            cpu_s=cpu_s(self._emulator) - cpu_before,
        )

    def _run(self, job: str, fence: int) -> None:
        """Do what a host does with an attempt: bind it, store a result, and have it finished."""
        berth = self._berth
        now = berth.clock.now()
        seen = berth.queue.get_job(job)
        if seen is None:
            raise AssertionError(f"job {job} was started and is not there")
        berth.queue.bind(job, fence=fence, host=seen.host, lease_until=now + _LEASE, now=now)
        berth.logs.put_result(job, fence, Result(outcome=Outcome.SUCCEEDED, reason="", steps=()))
        finish_job(berth, job=job, fence=fence)
        self._counted.finished.append(job)

    def _pipelines(self) -> Iterator[str]:
        for part in "UV":
            for pk, _ in self._table.query(part, limit=_EVERYTHING):
                yield pk.partition("#")[2]

    def _jobs(self) -> Iterator[str]:
        """Yield each job once for each place it is at: a backlog, a tenant's slot, its end."""
        yield from self._counted.finished
        for tenant in self._berth.queue.active_tenants():
            yield from tenant.jobs
            backlog = self._berth.queue.backlog(tenant.id, limit=_EVERYTHING)
            yield from (entry.job for entry in backlog)


def _each(items: Iterable[_T], act: Callable[[_T], None], progress: Progress) -> float:
    """Do all of them, by several threads; return seconds."""
    left = deque(items)
    total, started = len(left), time.perf_counter()

    def work(stop: Event) -> None:
        while not stop.is_set():
            try:
                item = left.popleft()
            except IndexError:
                return
            act(item)
            progress.detail(f"{total - len(left):,} of {total:,}")

    _in_threads(work)
    return time.perf_counter() - started


def _in_threads(work: Callable[[Event], None]) -> None:
    """Run it in several threads; when one fails, or at Ctrl-C, all of them end."""
    stop = Event()
    with ThreadPoolExecutor(_WORKERS) as threads:
        try:
            for done in [threads.submit(work, stop) for _ in range(_WORKERS)]:
                done.result()
        finally:
            stop.set()


def _told(found: Conservation) -> dict[str, int]:
    return {
        "lost": len(found.lost),
        "unexpected": len(found.unexpected),
        "duplicated": len(found.duplicated),
    }
