"""Each invariant is shown what it forbids: a check that cannot fail is worth nothing."""

from collections.abc import Callable, Iterator

import pytest

from chalicelib.clock import to_ms
from chalicelib.simulation.engine import START
from chalicelib.simulation.history import Head, History, Newest, Outage
from chalicelib.simulation.invariants import INVARIANTS, broken
from chalicelib.simulation.snapshot import Snapshot
from tests.simulation.rows import JOB, done, history, host, job, ready, snapshot, tenant

Case = tuple[Snapshot, History]


def _table() -> Snapshot:
    return snapshot(job(), tenants=[tenant(JOB)], hosts=[host()])


def s1_a_slot_beyond_the_limit() -> Case:
    full = tenant("b", "c", JOB)
    return snapshot(tenants=[full], hosts=[]), history(tenants=((tenant("b", "c"), full),))


def s1_a_slot_beyond_the_limit_in_another_shard() -> Case:
    first, second = tenant("b", "c", shards=2), tenant(JOB, shard="1", limit=1)
    now = snapshot(tenants=[first, second], hosts=[])
    return now, history(tenants=((tenant(shard="1", limit=1), second),))


def s2_a_slot_of_nobody() -> Case:
    return snapshot(job(), tenants=[tenant(JOB, "b")], hosts=[host()]), history()


def s2_a_job_without_its_slot() -> Case:
    return snapshot(job(), tenants=[tenant()], hosts=[host()]), history()


def s2_a_slot_in_two_shards() -> Case:
    shards = [tenant(JOB), tenant(JOB, shard="1")]
    return snapshot(job(), tenants=shards, hosts=[host()]), history()


def s2_a_slot_in_another_shard_than_the_job_says() -> Case:
    shards = [tenant(shards=2), tenant(JOB, shard="1")]
    return snapshot(job(), tenants=shards, hosts=[host()]), history()


def s2_a_slot_in_a_shard_that_nobody_looks_into() -> Case:
    shards = [tenant(), tenant(JOB, shard="1")]
    return snapshot(job(shard="1"), tenants=shards, hosts=[host()]), history()


def s3_a_running_job_in_the_index() -> Case:
    row = job(partition="R#default#0")
    return snapshot(row, tenants=[tenant(JOB)], hosts=[host()]), history()


def s3_a_ready_job_in_no_lane() -> Case:
    return snapshot(ready(partition=""), tenants=[tenant(JOB)], hosts=[]), history()


def s3_a_ready_job_in_the_lane_of_another_pool() -> Case:
    return snapshot(ready(partition="R#gpu#0"), tenants=[tenant(JOB)], hosts=[]), history()


def s4_a_fence_that_falls() -> Case:
    return _table(), history((job(fence=3), job()))


def s4_a_claim_that_keeps_the_fence() -> Case:
    return _table(), history((ready(fence=2), job(state="leased")))


def s4_a_fence_that_was_claimed_twice() -> Case:
    told = history((ready(), job(state="leased")))
    told.claims[JOB] += [2]
    return _table(), told


def s5_an_outcome_that_changes() -> Case:
    told = history()
    told.ended[JOB] = done()
    row = done(outcome="failed")
    return snapshot(row, tenants=[tenant()], hosts=[host(jobs={})]), told


def s6_an_outcome_of_an_older_attempt() -> Case:
    told = history((job(), done(reason=f"told by {JOB}-1")))
    told.results[JOB, 2] = "succeeded"
    return _table(), told


def s6_an_outcome_that_no_attempt_has_told() -> Case:
    return _table(), history((job(), done()))


def s7_two_executions_of_an_attempt() -> Case:
    told = history()
    told.effects = [(JOB, 2)]
    told.executions[JOB, 2] = 2
    return _table(), told


def s7_containers_on_two_hosts() -> Case:
    told = history()
    told.effects = [(JOB, 2)]
    told.containers[JOB, 2] = {"h1", "h2"}
    return _table(), told


def s8_a_host_with_more_jobs_than_slots() -> Case:
    full = host(jobs={"b": 1, "c": 1, JOB: 2})
    return _table(), history(hosts=((host(jobs={"b": 1, "c": 1}), full),))


def s8_a_draining_host_that_takes_a_job() -> Case:
    return _table(), history(hosts=((host(jobs={}), host(state="draining")),))


def s8_a_host_that_holds_an_older_attempt() -> Case:
    return snapshot(job(), tenants=[tenant(JOB)], hosts=[host(jobs={JOB: 1})]), history()


def s9_an_effect_of_an_attempt_that_nobody_claimed() -> Case:
    told = history()
    told.effects = [(JOB, 3)]
    return _table(), told


def s10_a_zombie_that_renews_a_lease() -> Case:
    return _table(), history((job(lease_ms=1), job(lease_ms=2)), attempt=(JOB, 1))


def s11_one_event_as_two_pipelines() -> Case:
    told = history()
    told.acknowledged["event-1"] |= {"p", "q"}
    return _table(), told


def s12_a_superseded_commit_that_runs() -> Case:
    told = history((job(state="leased"), job()))
    told.heads["p"] = Head("group", "old")
    told.newest["group"] = Newest("new", 15)
    return _table(), told


def s13_a_cancelled_job_that_is_tried_again() -> Case:
    return _table(), history((job(state="cancelling"), ready(fence=2)))


def s13_a_cancelled_job_that_is_claimed() -> Case:
    told = history((ready(), job(state="leased")))
    told.cancelled.add(JOB)
    return _table(), told


def s13_a_job_that_begins_by_running() -> Case:
    return _table(), history((None, job()))


def s14_a_pipeline_that_is_lost() -> Case:
    told = history()
    told.acknowledged["event-1"] |= {"q"}
    return _table(), told


def s14_a_job_of_no_pipeline() -> Case:
    now = _table()
    now.pipelines.clear()
    return now, history()


def s15_an_item_above_a_kilobyte() -> Case:
    return snapshot(job(size=1025), tenants=[tenant(JOB)], hosts=[host()]), history()


def s15_a_claim_that_costs_more() -> Case:
    told = history()
    told.units["claim"] = 6
    return _table(), told


def l5_an_attempt_that_is_repeated_despite_its_result() -> Case:
    told = history((job(), ready(fence=2)), begun_ms=25)
    told.results[JOB, 2], told.stored_ms[JOB, 2] = "succeeded", 24
    return _table(), told


def l5_an_attempt_that_is_taken_away_while_its_lease_runs() -> Case:
    leased = job(lease_ms=to_ms(START) + 60_000)
    return _table(), history((leased, ready(fence=2)), actor="sweep.1")


def l5_an_attempt_that_is_repeated_in_a_sound_world() -> Case:
    told = history((job(), ready(fence=2)))
    told.healed_ms = 15
    return _table(), told


def l8_a_build_that_outlived_an_outage_and_is_taken_away() -> Case:
    told = history((job(), ready(fence=2)))
    told.outage = Outage(ended_ms=25, kept_running=frozenset({(JOB, 2)}))
    return _table(), told


_CASES: list[Callable[[], Case]] = [
    case for name, case in sorted(globals().items()) if name.partition("_")[0].upper() in INVARIANTS
]


def _told(name: str, case: Case) -> Iterator[str]:
    return (violation.told for violation in broken(*case) if violation.invariant == name)


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.__name__)
def test_what_is_forbidden_is_found(case: Callable[[], Case]) -> None:
    name = case.__name__.partition("_")[0].upper()

    assert list(_told(name, case()))


def test_every_invariant_has_a_case() -> None:
    shown = {case.__name__.partition("_")[0].upper() for case in _CASES}

    assert shown == set(INVARIANTS)


def test_a_sound_table_breaks_nothing() -> None:
    told = history((ready(), job(state="leased")))
    told.results[JOB, 2] = "succeeded"
    told.acknowledged["event-1"] |= {"p"}
    told.effects = [(JOB, 2)]

    assert broken(_table(), told) == []


def test_what_is_found_names_invariant_and_step() -> None:
    now, told = s2_a_job_without_its_slot()
    told.step = 17

    assert str(broken(now, told)[0]).startswith("S2 at step 17: 7: holds []")
