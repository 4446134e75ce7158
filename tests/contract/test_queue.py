"""One suite for every job queue: each verb, each condition that refuses, each repeat."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.errors import NotFoundError
from chalicelib.model import Host, HostState, Job, JobState, Outcome
from chalicelib.queue.protocol import Admission, JobQueue, NewJob

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEASE = NOW + timedelta(seconds=120)
HOST = Host(id="host-1", slots=2, generation="boot-1")


def at(seconds: float) -> datetime:
    """Return that many seconds after the tests begin."""
    return NOW + timedelta(seconds=seconds)


def new(letter: str, *, tenant: str = "acme", priority_s: int = 0) -> NewJob:
    """Return a job whose id is the letter sixteen times."""
    return NewJob(
        id=letter * 16, name=letter, pipeline="p" * 16, tenant=tenant, priority_s=priority_s
    )


def admit(queue: JobQueue, letters: str, *, tenant: str = "acme") -> list[Admission]:
    """Admit a job for each letter, a second apart."""
    return [queue.admit(new(letter, tenant=tenant), now=at(n)) for n, letter in enumerate(letters)]


def claim(queue: JobQueue, letter: str, *, nonce: str = "nonce", host: Host = HOST) -> Job | None:
    """Claim the letter's job for the host."""
    return queue.claim(letter * 16, host=host, nonce=nonce, lease_until=LEASE, now=at(60))


def cancel(queue: JobQueue, letter: str) -> Job | None:
    """Cancel the letter's job."""
    return queue.cancel(letter * 16, outcome=Outcome.SUPERSEDED, reason="newer push", now=at(80))


def slots(queue: JobQueue, tenant: str = "acme") -> frozenset[str]:
    """Return the letters of the jobs that hold a slot of the tenant."""
    record = queue.get_tenant(tenant)
    return frozenset(job[0] for job in record.jobs) if record else frozenset()


def containers(queue: JobQueue) -> dict[str, int]:
    """Return letter → fence of what the host holds."""
    host = queue.get_host(HOST.id)
    return {job[0]: fence for job, fence in host.jobs.items()} if host else {}


def lane(queue: JobQueue) -> str:
    """Return the letters of the ready queue in order."""
    return "".join(entry.job[0] for entry in queue.ready("default"))


def test_admission_fills_the_tenants_slots_and_then_the_backlog(queue: JobQueue) -> None:
    answers = admit(queue, "abc")

    assert answers == [Admission.READY, Admission.READY, Admission.PENDING]
    assert slots(queue) == {"a", "b"}
    assert lane(queue) == "ab"


def test_an_admitted_job_is_recorded_as_it_was_asked_for(queue: JobQueue) -> None:
    asked = replace(new("a"), delivery="guid-1", pool="large")

    queue.admit(asked, now=NOW)

    assert queue.get_job(asked.id) == Job(
        id=asked.id,
        name="a",
        pipeline="p" * 16,
        tenant="acme",
        delivery="guid-1",
        pool="large",
        state=JobState.READY,
        stamp=1_767_225_600_000,
        hops={"admitted": NOW, "ready": NOW},
    )


def test_a_job_admitted_twice_exists_and_holds_one_slot(queue: JobQueue) -> None:
    admit(queue, "a")

    assert queue.admit(new("a"), now=at(9)) is Admission.EXISTS
    assert slots(queue) == {"a"}


def test_a_finished_job_is_not_admitted_again(queue: JobQueue, running: Job) -> None:
    queue.finish(running.id, fence=1, outcome=Outcome.FAILED, reason="", now=at(90))

    assert queue.admit(new("a"), now=at(99)) is Admission.EXISTS
    assert slots(queue) == frozenset()


def test_the_lane_is_ordered_by_slots_in_use_and_priority(queue: JobQueue) -> None:
    """Quiet tenants go before busy ones, though they came later; a credit moves a job."""
    admit(queue, "ab")
    queue.admit(new("c", tenant="quiet"), now=at(30))
    queue.admit(new("d", tenant="urgent", priority_s=-600), now=at(40))

    assert lane(queue) == "dacb"


def test_the_lane_shows_no_more_than_asked_for(queue: JobQueue) -> None:
    admit(queue, "ab")

    assert [entry.job[0] for entry in queue.ready("default", limit=1)] == ["a"]
    assert queue.ready("other") == []


def test_a_limit_of_its_own_replaces_the_default_one(queue: JobQueue) -> None:
    queue.put_tenant_limit("acme", limit=1, weight=3)

    assert admit(queue, "ab") == [Admission.READY, Admission.PENDING]
    tenant = queue.get_tenant("acme")
    assert tenant is not None
    assert (tenant.limit, tenant.weight) == (1, 3)


def test_a_limit_below_what_runs_takes_nothing_away(queue: JobQueue) -> None:
    admit(queue, "abc")

    queue.put_tenant_limit("acme", limit=0)

    assert slots(queue) == {"a", "b"}
    assert queue.promote("acme", now=at(10)) is None


def test_nobody_is_promoted_while_the_tenant_is_full(queue: JobQueue) -> None:
    admit(queue, "abc")

    assert queue.promote("acme", now=at(10)) is None
    assert slots(queue) == {"a", "b"}


def test_the_oldest_pending_job_is_promoted_into_the_freed_slot(queue: JobQueue) -> None:
    admit(queue, "abcd")
    cancel(queue, "a")

    assert queue.promote("acme", now=at(100)) == "c" * 16
    assert queue.promote("acme", now=at(100)) is None
    assert slots(queue) == {"b", "c"}
    promoted = queue.get_job("c" * 16)
    assert promoted is not None
    assert promoted.state is JobState.READY
    assert promoted.hops == {"admitted": at(2), "ready": at(100)}


def test_a_promoted_job_stands_in_the_lane_as_of_its_promotion(queue: JobQueue) -> None:
    """Kept from its arrival, the stamps of a big backlog would pass every quiet tenant by."""
    admit(queue, "abc")
    cancel(queue, "a")
    queue.admit(new("q", tenant="quiet"), now=at(1000))

    queue.promote("acme", now=at(1001))

    assert lane(queue) == "bqc"


def test_an_unknown_tenant_has_nothing_to_promote(queue: JobQueue) -> None:
    assert queue.promote("nobody", now=NOW) is None
    assert queue.get_tenant("nobody") is None


def test_a_claim_takes_the_job_and_the_hosts_slot(queue: JobQueue, leased: Job) -> None:
    assert queue.get_job(leased.id) == leased
    assert (leased.state, leased.fence, leased.attempts) == (JobState.LEASED, 1, 1)
    assert (leased.owner, leased.host, leased.lease_until) == ("nonce", HOST.id, LEASE)
    assert containers(queue) == {"a": 1}
    assert lane(queue) == ""


def test_a_job_is_claimed_once(queue: JobQueue, leased: Job) -> None:
    assert claim(queue, "a", nonce="other") is None
    assert queue.get_job(leased.id) == leased


def test_a_claim_repeated_with_its_nonce_has_the_same_answer(queue: JobQueue, leased: Job) -> None:
    assert claim(queue, "a") == leased
    assert containers(queue) == {"a": 1}


def test_a_pending_an_unknown_and_an_ended_job_cannot_be_claimed(queue: JobQueue) -> None:
    queue.register_host(HOST)
    admit(queue, "abc")
    cancel(queue, "a")

    assert [claim(queue, letter) for letter in "acx"] == [None, None, None]
    assert containers(queue) == {}


@pytest.mark.parametrize(
    "host",
    [
        replace(HOST, slots=0),
        replace(HOST, generation="boot-2"),
        replace(HOST, state=HostState.DRAINING),
        replace(HOST, state=HostState.LOST),
        replace(HOST, id="host-2"),
    ],
    ids=["full", "rebooted", "draining", "lost", "unknown"],
)
def test_a_host_that_does_not_take_jobs_gets_none(queue: JobQueue, host: Host) -> None:
    queue.register_host(host)
    admit(queue, "a")

    assert claim(queue, "a") is None
    assert lane(queue) == "a"
    assert containers(queue) == {}


def test_a_queued_job_is_cancelled_at_once(queue: JobQueue) -> None:
    admit(queue, "abc")

    ended = [cancel(queue, letter) for letter in "bc"]

    assert [job and (job.state, job.outcome, job.reason) for job in ended] == [
        (JobState.DONE, Outcome.SUPERSEDED, "newer push")
    ] * 2
    assert [queue.get_job(letter * 16) for letter in "bc"] == ended
    assert slots(queue) == {"a"}
    assert lane(queue) == "a"


@pytest.mark.usefixtures("running")
def test_live_jobs_are_those_with_a_slot(queue: JobQueue) -> None:
    admit(queue, "bc")
    queue.admit(new("d", tenant="other"), now=NOW)
    queue.admit(new("e", tenant="other"), now=NOW)
    cancel(queue, "d")

    assert sorted(job.id[0] for job in queue.live_jobs()) == ["a", "b", "e"]
    assert sorted(tenant.id for tenant in queue.active_tenants()) == ["acme", "other"]


def test_many_jobs_are_read_at_once(queue: JobQueue) -> None:
    """DynamoDB gives a hundred per call."""
    ids = [f"{number:016d}" for number in range(130)]
    for job in ids[:3] + ids[-1:]:
        queue.admit(replace(new("a"), id=job), now=NOW)

    found = queue.get_jobs([*ids, ids[0]])

    assert sorted(found) == ids[:3] + ids[-1:]
    assert found[ids[0]] == queue.get_job(ids[0])


@pytest.mark.usefixtures("leased")
def test_a_host_registered_again_keeps_its_jobs(queue: JobQueue) -> None:
    stored = queue.register_host(replace(HOST, slots=9, generation="boot-2", address="10.0.0.7"))

    assert stored == queue.get_host(HOST.id)
    assert (stored.slots, stored.generation, stored.address) == (9, "boot-2", "10.0.0.7")
    assert dict(stored.jobs) == {"a" * 16: 1}


def test_a_host_registered_again_stays_drained_and_comes_back_when_it_was_lost(
    queue: JobQueue,
) -> None:
    queue.register_host(HOST)
    queue.set_host_state(HOST.id, HostState.DRAINING)
    assert queue.register_host(replace(HOST, slots=9)).state is HostState.DRAINING

    queue.set_host_state(HOST.id, HostState.LOST)

    assert queue.register_host(HOST) == HOST


def test_hosts_are_listed_by_pool_and_can_be_drained(queue: JobQueue) -> None:
    for host in (replace(HOST, id="b"), replace(HOST, id="a"), replace(HOST, id="c", pool="large")):
        queue.register_host(host)

    queue.set_host_state("a", HostState.DRAINING)

    assert [(host.id, host.state) for host in queue.hosts("default")] == [
        ("a", HostState.DRAINING),
        ("b", HostState.UP),
    ]
    assert queue.get_host("z") is None
    with pytest.raises(NotFoundError):
        queue.set_host_state("z", HostState.LOST)
    assert queue.get_host("z") is None


def test_sweeps_without_a_gap_count_from_the_first(queue: JobQueue) -> None:
    gap = timedelta(seconds=120)

    seen = [queue.note_sweep(now=at(n), longest_gap=gap) for n in (0, 60, 60, 180, 301, 301, 360)]

    assert seen == [at(0), at(0), at(0), at(0), at(301), at(301), at(301)]


def test_a_gap_of_the_sweeper_is_seen_while_it_lasts(queue: JobQueue) -> None:
    gap = timedelta(seconds=90)
    assert queue.swept_since(now=at(0), longest_gap=gap) is None
    for second in (0, 60):
        queue.note_sweep(now=at(second), longest_gap=gap)

    assert queue.swept_since(now=at(150), longest_gap=gap) == at(0)
    assert queue.swept_since(now=at(151), longest_gap=gap) is None
