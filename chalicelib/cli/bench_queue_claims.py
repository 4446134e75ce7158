"""What claiming costs: by the length of the lane, and with many claimers at once.

Claims go through the real service, `claim_ready`, over jobs that were put into the table in the form
that `admit` gives them; to admit 100,000 jobs one by one would take an hour.
"""

import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from chalicelib.cli.bench_table import Cost, MeteredConnection, berth_over, register_hosts
from chalicelib.clock import to_ms
from chalicelib.model import JobState, job_id
from chalicelib.queue.dynamodb_changes import new_job_item
from chalicelib.queue.dynamodb_items import TenantItem, tenant_key
from chalicelib.queue.dynamodb_table import DynamoTable, Raw
from chalicelib.queue.dynamodb_tenants import SHARD_SLOTS
from chalicelib.queue.protocol import NewJob
from chalicelib.services.claim_job import claim_ready

__all__ = ["ClaimCost", "Race", "claim_costs", "fill", "race"]

_MOST = 4
"""Jobs that a claimer takes of one page at most: as `pass_on_slot` does, after each finished job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimCost:
    """One claim, by medians.

    Attributes:
        requests: sent for it.
        units: read and write units.
        time_ms: by the emulator, which is no measure of DynamoDB.
    """

    requests: float
    units: float
    time_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """What several claimers did at once.

    Attributes:
        claims: that succeeded.
        cost: of all that they sent.
        time_s: from the first claim to the last.
    """

    claims: int
    cost: Cost
    time_s: float

    @property
    def wasted_writes(self) -> float:
        """Refused and conflicting writes, a transaction being one, for each claim that succeeded.

        As the protocol counts them (section 1.10).
        """
        return (self.cost.refused + self.cost.conflicts) / self.claims if self.claims else 0.0

    @property
    def wasted_units(self) -> float:
        """Write units of these, for each claim that succeeded."""
        return self.cost.wasted / self.claims if self.claims else 0.0

    @property
    def overlaps(self) -> float:
        """Transactions in another one's way, for each claim that succeeded."""
        return self.cost.overlaps / self.claims if self.claims else 0.0


def fill(table: DynamoTable, *, pool: str, jobs: int) -> None:
    """Put READY jobs into the pool's one lane, of tenants that hold as many slots as one item does."""
    names = [job_id(pool, str(number)) for number in range(jobs)]
    table.put_many("fill", _items(names, pool=pool, now=table.clock.now()))


def _items(names: Sequence[str], *, pool: str, now: datetime) -> Iterator[Raw]:
    for first in range(0, len(names), SHARD_SLOTS):
        tenant = f"{pool}-{first}"
        held = names[first : first + SHARD_SLOTS]
        yield TenantItem(
            *tenant_key(tenant),
            partition="A#0",
            order=tenant,
            jobs=dict.fromkeys(held, 1),
            used_at=to_ms(now),
        ).serialize()
        for place, name in enumerate(held, first):
            new = NewJob(id=name, name="build", pipeline=name, tenant=tenant, pool=pool)
            yield new_job_item(
                new,
                JobState.READY,
                partition=f"R#{pool}#0",
                stamp=to_ms(now) + place,
                now=now,
            ).serialize()


def claim_costs(
    connection: MeteredConnection, table: DynamoTable, *, pool: str, samples: int
) -> ClaimCost:
    """Return what one claim of the pool costs, as the median of some made one after another."""
    berth = berth_over(table, tenant_limit=SHARD_SLOTS)
    register_hosts(berth, pool=pool, hosts=-(-samples // SHARD_SLOTS), slots=SHARD_SLOTS)
    taken: list[tuple[int, float, float]] = []
    for _ in range(samples):
        before, started = connection.cost, time.perf_counter()
        claimed = claim_ready(berth, pool=pool, most=1)
        took_ms = (time.perf_counter() - started) * 1000
        if claimed:
            cost = connection.cost - before
            taken.append((cost.requests, cost.units, took_ms))
    requests, units, times = (statistics.median(column) for column in zip(*taken, strict=True))
    return ClaimCost(requests=requests, units=units, time_ms=times)


def race(
    connection: MeteredConnection, table: DynamoTable, *, pool: str, claimers: int, claims: int
) -> Race:
    """Let so many claimers claim at once, until there are so many claims or the lane is empty."""
    berth = berth_over(table, tenant_limit=SHARD_SLOTS)
    hosts = max(claimers, 2 * claims // SHARD_SLOTS)
    register_hosts(berth, pool=pool, hosts=hosts, slots=SHARD_SLOTS)
    together = threading.Barrier(claimers)
    won: list[str] = []

    def work() -> None:
        together.wait()
        while len(won) < claims:
            claimed = claim_ready(berth, pool=pool, most=_MOST)
            won.extend(job.id for job in claimed)
            if not claimed and not berth.queue.ready(pool, limit=1):
                return

    before, started = connection.cost, time.perf_counter()
    with ThreadPoolExecutor(claimers) as threads:
        for done in [threads.submit(work) for _ in range(claimers)]:
            done.result()
    took_s = time.perf_counter() - started
    if len(set(won)) != len(won):
        raise AssertionError("a job was claimed twice")
    return Race(claims=len(won), cost=connection.cost - before, time_s=took_s)
