"""Who waits how long behind whom: the queue protocol's section 1.8, over the real queue and services.

Beside each stands the same in order of admission, which shows that the test can fail. That order is
made by giving everybody the greatest weight: a slot in use then counts for 60 ms.
"""

import itertools
from collections.abc import Iterable, Mapping

import pytest

from chalicelib.queue.stamp import QUANTUM
from tests.queue.fairness import Arrival, Ran, World, jain, percentile, slot_time, steady
from tests.wait.script import Share

pytestmark = pytest.mark.timeout(120)

QUANTUM_S = QUANTUM.total_seconds()
RUNS_S = 300.0
HEAD = Share(0)
"""Always the head of what may be taken, for bounds that hold job by job."""


def in_order(arrivals: Iterable[Arrival]) -> Mapping[str, int]:
    """Return weights that make the queue one in order of admission."""
    return {arrival.tenant: 1_000 for arrival in arrivals}


@pytest.mark.slow
def test_a_flood_of_one_tenant_hardly_delays_the_quiet_ones() -> None:
    """S2. The noisy tenant's limit is twice what the hosts hold, so it is no help to the others."""
    slots, limit, until_s = 40, 80, 5_400
    quiet = steady(20, per_s=0.4 * slots / RUNS_S, until_s=until_s - 900)
    like = itertools.islice(itertools.cycle(quiet), 3_000)
    flood = [Arrival(at_s=600, tenant="noisy", runs_s=each.runs_s) for each in like]
    jobs = [*quiet, *flood]

    def waits(weights: Mapping[str, int]) -> list[Ran]:
        ran = World(slots=slots, limit=limit, weights=weights).run(jobs, until_s=until_s)
        return [each for each in ran if each.arrival.tenant != "noisy" and each.arrival.at_s > 600]

    fair, by_admission = waits({}), waits(in_order(jobs))

    # Alone the quiet ones would not wait at all, and a slot comes free every 7.5 s.
    claim_period_s = RUNS_S / slots
    beyond_rank_s = [each.wait_s - each.rank * QUANTUM_S for each in fair]
    assert percentile(beyond_rank_s, 0.95) <= 3 * claim_period_s
    p95_s = percentile([each.wait_s for each in fair], 0.95)
    assert percentile([each.wait_s for each in by_admission], 0.95) > 10 * p95_s


def test_no_job_starves_in_an_overload() -> None:
    """L6: nobody waits longer than the overload, its rank's quanta and a claim's period."""
    slots, runs_s = 10, 100.0
    matrix = [Arrival(at_s=1_000, tenant="quiet-0", runs_s=runs_s)] * 30
    overload = steady(20, per_s=1.3 * slots / runs_s, until_s=3_600, mean_s=runs_s, equal=True)
    jobs = [*overload, *matrix]

    fair = World(slots=slots, limit=40, random=HEAD).run(jobs, until_s=10_000)
    ordered = World(slots=slots, limit=40, random=HEAD, weights=in_order(jobs))

    overload_wait_s = max(each.wait_s for each in ordered.run(jobs, until_s=10_000))
    beyond_rank_s = max(each.wait_s - each.rank * QUANTUM_S for each in fair)
    assert max(each.rank for each in fair) >= 29
    assert beyond_rank_s <= overload_wait_s + runs_s / slots


def test_equal_tenants_with_a_backlog_get_equal_shares() -> None:
    """L7, although each comes with all of its jobs before the next one comes at all."""
    tenants = [f"tenant-{number}" for number in range(5)]
    jobs = [
        Arrival(at_s=number / 100, tenant=tenants[number // 60], runs_s=RUNS_S)
        for number in range(300)
    ]

    def index(weights: Mapping[str, int]) -> float:
        ran = World(slots=20, limit=30, weights=weights).run(jobs, until_s=1_800)
        had = slot_time(ran, since_s=0, until_s=1_800)
        return jain(had.get(tenant, 0) for tenant in tenants)

    assert index({}) >= 0.95
    assert index(in_order(jobs)) < 0.95


def test_a_tenant_of_three_times_the_weight_gets_about_three_times_the_share() -> None:
    jobs = [
        Arrival(at_s=number / 100, tenant="heavy" if number % 2 else "light", runs_s=RUNS_S)
        for number in range(500)
    ]

    world = World(slots=20, limit=40, weights={"heavy": 3, "light": 1})
    had = slot_time(world.run(jobs, until_s=3_600), since_s=0, until_s=3_600)

    assert 2.5 <= had["heavy"] / had["light"] <= 3.5


def test_the_same_world_runs_the_same_again() -> None:
    jobs = steady(5, per_s=0.1, until_s=600)

    first, second = (World(slots=4, limit=3).run(jobs, until_s=3_600) for _ in range(2))

    assert first == second
