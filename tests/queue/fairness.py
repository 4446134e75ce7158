"""A world of tenants, hosts and time around the real queue, for questions of who waits how long.

Deterministic: the table is the verified fake, the clock is moved from event to event, and what looks
random comes from a seed.
"""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from chalicelib.model import Outcome
from chalicelib.queue.protocol import Admission, NewJob
from chalicelib.services.claim_job import claim_job
from chalicelib.services.pass_on_slot import pass_on_slot
from chalicelib.wait import Randomness
from tests.services.installation import make_site

POOL = "default"
_SEED = 20150707


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A job that comes at a second, and then runs for some."""

    at_s: float
    tenant: str
    runs_s: float = 300.0


@dataclass(slots=True, kw_only=True)
class Ran:
    """What became of an arrival.

    Attributes:
        arrival: the job.
        rank: slots that its tenant held when it came.
        claimed_s: when it was claimed; None if it was not.
    """

    arrival: Arrival
    rank: int
    claimed_s: float | None = None

    @property
    def wait_s(self) -> float:
        """How long it waited; for ever if it was not claimed."""
        return float("inf") if self.claimed_s is None else self.claimed_s - self.arrival.at_s


class World:
    """One pool with one host, and tenants that all have the same limit unless told otherwise."""

    def __init__(
        self,
        *,
        slots: int,
        limit: int,
        weights: Mapping[str, int] | None = None,
        random: Randomness | None = None,
    ) -> None:
        self._site = make_site(slots=slots, tenant_limit=limit)
        self._berth = replace(self._site.berth, random=random or _seeded())
        self._start = self._site.clock.now()
        self._events: list[tuple[float, int, str, str]] = []
        self._count = itertools.count()
        self._arrivals: dict[str, Arrival] = {}
        self._seen = 0
        self.ran: dict[str, Ran] = {}
        for tenant, weight in (weights or {}).items():
            self._site.queue.put_tenant_limit(tenant, limit=limit, weight=weight)

    def run(self, arrivals: Iterable[Arrival], *, until_s: float) -> list[Ran]:
        """Let the jobs come and run until that second; return what became of each, as they came."""
        for arrival in sorted(arrivals, key=lambda each: each.at_s):
            job = f"job-{next(self._count):012d}"
            self._arrivals[job] = arrival
            self._note(arrival.at_s, "arrives", job)
        while self._events and self._events[0][0] <= until_s:
            at_s, _, event, job = heapq.heappop(self._events)
            now = self._start + timedelta(seconds=at_s)
            self._site.clock.advance(now - self._site.clock.now())
            if event == "arrives":
                self._arrive(job, now)
            else:
                self._finish(job, now)
            self._note_claims(at_s)
        return list(self.ran.values())

    def _note(self, at_s: float, event: str, job: str) -> None:
        heapq.heappush(self._events, (at_s, next(self._count), event, job))

    def _arrive(self, job: str, now: datetime) -> None:
        """Do what the planner does."""
        arrival = self._arrivals[job]
        tenant = self._site.queue.get_tenant(arrival.tenant)
        self.ran[job] = Ran(arrival=arrival, rank=len(tenant.jobs) if tenant else 0)
        new = NewJob(id=job, name="job", pipeline="p", tenant=arrival.tenant, pool=POOL)
        if self._site.queue.admit(new, now=now) is Admission.READY:
            claim_job(self._berth, job, pool=POOL)

    def _finish(self, job: str, now: datetime) -> None:
        """Do what the finisher does."""
        self._site.queue.finish(job, fence=1, outcome=Outcome.SUCCEEDED, reason="", now=now)
        pass_on_slot(self._berth, tenant=self._arrivals[job].tenant, pool=POOL)

    def _note_claims(self, at_s: float) -> None:
        started = self._site.sequencer.started
        for job, _ in started[self._seen :]:
            self.ran[job].claimed_s = at_s
            self._note(at_s + self._arrivals[job].runs_s, "ends", job)
        self._seen = len(started)


def _seeded() -> Random:
    return Random(_SEED)  # noqa: S311 - to be the same each time, not to be secret


def steady(
    tenants: int, *, per_s: float, until_s: float, mean_s: float = 300.0, equal: bool = False
) -> list[Arrival]:
    """Return jobs that come at random, at a rate for all the tenants together; the same each time."""
    chance, at_s, arrivals = _seeded(), 0.0, []
    while (at_s := at_s + chance.expovariate(per_s)) < until_s:
        runs_s = mean_s if equal else chance.expovariate(1 / mean_s)
        tenant = f"quiet-{chance.randrange(tenants)}"
        arrivals.append(Arrival(at_s=at_s, tenant=tenant, runs_s=runs_s))
    return arrivals


def percentile(values: Iterable[float], share: float) -> float:
    """Return the value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def slot_time(ran: Iterable[Ran], *, since_s: float, until_s: float) -> dict[str, float]:
    """Return the seconds of slots that each tenant had between two times."""
    had: dict[str, float] = defaultdict(float)
    for each in ran:
        if each.claimed_s is not None:
            ended_s = each.claimed_s + each.arrival.runs_s
            overlap_s = min(until_s, ended_s) - max(since_s, each.claimed_s)
            had[each.arrival.tenant] += max(0.0, overlap_s)
    return dict(had)


def jain(shares: Iterable[float]) -> float:
    """Return Jain's index: 1 when all have the same, 1/n when one of n has everything.

    Source: Jain, Chiu, Hawe, "A Quantitative Measure of Fairness", DEC TR-301, 1984.
    """
    had = list(shares)
    return sum(had) ** 2 / (len(had) * sum(each * each for each in had))
