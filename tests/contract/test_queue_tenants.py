"""Tenants of every job queue: limits below and above one item's worth of slots, and idle ones."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import PayloadError
from chalicelib.model import Host, Job, JobState, Outcome, Tenant
from chalicelib.queue.dynamodb_tenants import shares
from chalicelib.queue.protocol import Admission, JobQueue, NewJob

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NEW = NewJob(id="a" * 16, name="a", pipeline="p" * 16, tenant="acme")
HOST = Host(id="host-1", slots=500, generation="boot-1")


def at(seconds: float) -> datetime:
    """Return that many seconds after the tests begin."""
    return NOW + timedelta(seconds=seconds)


def admit(queue: JobQueue, count: int, *, first: int = 0) -> list[Admission]:
    """Admit jobs by number."""
    numbers = range(first, first + count)
    return [queue.admit(replace(NEW, id=f"{each:016d}"), now=NOW) for each in numbers]


def cancel(queue: JobQueue, job: str) -> Job | None:
    """Cancel the job."""
    return queue.cancel(job, outcome=Outcome.CANCELLED, reason="", now=at(60))


def tenant(queue: JobQueue) -> Tenant:
    """Return the tenant."""
    found = queue.get_tenant("acme")
    assert found is not None
    return found


def test_a_large_limit_is_exact(queue: JobQueue) -> None:
    queue.put_tenant_limit("acme", limit=100)

    answers = admit(queue, 103)

    assert answers.count(Admission.READY) == 100
    assert len(tenant(queue).jobs) == 100
    assert tenant(queue).limit == 100


def test_every_slot_of_a_large_tenant_is_given_back(queue: JobQueue) -> None:
    queue.put_tenant_limit("acme", limit=90)
    queue.register_host(HOST)
    admit(queue, 90)
    claimed = queue.claim("0" * 16, host=HOST, nonce="n", lease_until=at(120), now=at(1))
    assert claimed is not None
    queue.finish(claimed.id, fence=1, outcome=Outcome.FAILED, reason="", now=at(2))

    for number in range(1, 90):
        cancel(queue, f"{number:016d}")

    assert tenant(queue).jobs == frozenset()


def test_a_large_tenants_backlog_moves_up(queue: JobQueue) -> None:
    queue.put_tenant_limit("acme", limit=45)
    admit(queue, 46)
    cancel(queue, "0" * 16)

    promoted = queue.promote("acme", now=at(61))

    assert promoted == f"{45:016d}"
    assert len(tenant(queue).jobs) == 45


def test_a_limit_lowered_below_what_runs_lets_nobody_in_until_it_holds_again(
    queue: JobQueue,
) -> None:
    """Across shards as within one: room in one is no room while others are above."""
    queue.put_tenant_limit("acme", limit=80)
    admit(queue, 80)
    queue.put_tenant_limit("acme", limit=50)
    admit(queue, 40, first=80)

    for number in range(80):
        cancel(queue, f"{number:016d}")
        if number % 10 == 0:
            queue.settle_limit("acme")  # what the sweeper does
        while queue.promote("acme", now=at(61)):
            pass
        assert len(tenant(queue).jobs) <= max(50, 79 - number)

    assert len(tenant(queue).jobs) == 40
    assert tenant(queue).limit == 50


def test_a_limit_of_few_slots_gives_up_the_further_items_once_they_are_empty(
    queue: JobQueue,
) -> None:
    queue.put_tenant_limit("acme", limit=80)
    admit(queue, 60)
    queue.put_tenant_limit("acme", limit=10)
    assert tenant(queue).shards == 2

    for number in range(60):
        cancel(queue, f"{number:016d}")

    assert queue.settle_limit("acme")
    assert not queue.settle_limit("acme")
    assert tenant(queue) == Tenant(id="acme", limit=10)
    assert admit(queue, 11, first=60).count(Admission.READY) == 10


def test_a_large_limit_that_is_changed_and_changed_back_holds_again(queue: JobQueue) -> None:
    """The third change is the first one's very request, and must not be taken for its repeat."""
    queue.put_tenant_limit("acme", limit=80)
    queue.put_tenant_limit("acme", limit=10)

    queue.put_tenant_limit("acme", limit=80)

    assert tenant(queue) == Tenant(id="acme", limit=80, shards=2)


def test_a_default_above_one_items_worth_is_exact_too(
    make_queue: Callable[[int], JobQueue],
) -> None:
    queue = make_queue(60)

    answers = admit(queue, 62)

    assert answers.count(Admission.READY) == 60


@pytest.mark.parametrize(("limit", "weight"), [(-1, 1), (4001, 1), (5, 0), (5, 1001)])
def test_a_limit_or_weight_that_cannot_be_is_refused(
    queue: JobQueue, limit: int, weight: int
) -> None:
    with pytest.raises(PayloadError):
        queue.put_tenant_limit("acme", limit=limit, weight=weight)
    assert queue.get_tenant("acme") is None


def test_the_limit_that_was_set_is_answered(queue: JobQueue) -> None:
    admit(queue, 1)

    answer = queue.put_tenant_limit("acme", limit=70, weight=3)

    held = frozenset({"0" * 16})
    assert answer == Tenant(id="acme", limit=70, weight=3, jobs=held, shards=2)
    assert answer == tenant(queue)


def test_an_idle_tenant_is_forgotten_and_comes_back_with_its_next_slot(queue: JobQueue) -> None:
    admit(queue, 1)
    assert not queue.forget_idle("acme", before=at(3600))  # it holds a slot
    cancel(queue, "0" * 16)
    assert not queue.forget_idle("acme", before=at(60))  # it was used since

    assert queue.forget_idle("acme", before=at(61))
    assert list(queue.active_tenants()) == []

    admit(queue, 1, first=1)
    assert [each.id for each in queue.active_tenants()] == ["acme"]
    assert not queue.forget_idle("nobody", before=at(61))


def test_a_tenant_that_was_stopped_is_not_forgotten(queue: JobQueue) -> None:
    """Its jobs take no slot, so nothing would bring it back."""
    queue.put_tenant_limit("acme", limit=0)
    assert not queue.forget_idle("acme", before=at(9999))

    admit(queue, 1)

    assert [each.id for each in queue.active_tenants()] == ["acme"]


def test_a_tenant_with_a_backlog_is_not_forgotten(queue: JobQueue) -> None:
    queue.put_tenant_limit("acme", limit=0)
    admit(queue, 1)
    queue.put_tenant_limit("acme", limit=1)

    assert not queue.forget_idle("acme", before=at(9999))


def test_a_skipped_job_is_done_and_holds_nothing(queue: JobQueue) -> None:
    assert queue.skip(NEW, outcome=Outcome.CANCELLED, reason="needs lint, which failed", now=NOW)
    assert queue.skip(NEW, outcome=Outcome.CANCELLED, reason="again", now=NOW) is False

    job = queue.get_job(NEW.id)
    assert job is not None
    assert (job.state, job.outcome, job.fence) == (JobState.DONE, Outcome.CANCELLED, 0)
    assert job.reason == "needs lint, which failed"
    assert queue.admit(NEW, now=NOW) is Admission.EXISTS
    assert cancel(queue, NEW.id) == job


def test_an_admitted_job_is_not_skipped(queue: JobQueue) -> None:
    queue.admit(NEW, now=NOW)

    assert not queue.skip(NEW, outcome=Outcome.CANCELLED, reason="", now=NOW)


@given(limit=st.integers(0, 400), used=st.lists(st.integers(0, 40), min_size=1, max_size=12))
def test_shares_give_no_room_twice(limit: int, used: list[int]) -> None:
    """A slot is taken up to a shard's share; whatever the others hold then, the limit holds."""
    divided = shares(limit, used)

    held = [*used, *[0] * (len(divided) - len(used))]
    assert max(divided) <= 40
    if sum(used) <= limit:
        assert sum(divided) == limit
        assert all(share >= jobs for share, jobs in zip(divided, held, strict=True))
    for shard, share in enumerate(divided):
        others = sum(max(*pair) for pair in zip(divided, held, strict=True)) - max(
            share, held[shard]
        )
        assert share == 0 or share + others <= limit
