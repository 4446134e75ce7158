"""What only the driver can get wrong: other actors in between, lost answers, cost, old items."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest

from chalicelib.model import Host, HostState, Job, JobState, Outcome
from chalicelib.queue.dynamodb import DynamoQueue
from chalicelib.queue.dynamodb_table import DynamoTable
from chalicelib.queue.memory import Answer, Apply, Interrupt
from chalicelib.queue.memory_faults import answer_lost, token_forgotten
from chalicelib.queue.protocol import Admission, NewJob

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEASE = NOW + timedelta(seconds=120)
HOST = Host(id="host-1", slots=4, generation="boot-1")
JOB = "a" * 16
NEW = NewJob(id=JOB, name="test", pipeline="p" * 16, tenant="acme")


class Disturbance(Protocol):
    """The fixture `disturbance`."""

    units: list[tuple[str, float]]

    def on(self, operation: str, *faults: Interrupt) -> None:
        """Let these faults happen to the next calls of the operation."""


def meanwhile(act: Callable[[], object]) -> Interrupt:
    """Let somebody else act right before the call reaches the service."""

    def fault(_operation: str, _request: Mapping[str, Any], apply: Apply) -> Answer:
        act()
        return apply()

    return fault


@pytest.fixture
def queue(table: DynamoTable) -> DynamoQueue:
    """The queue whose calls can be disturbed; one slot a tenant."""
    made = DynamoQueue(table, default_limit=1)
    made.register_host(HOST)
    return made


@pytest.fixture
def other(queue: DynamoQueue, other_table: DynamoTable) -> DynamoQueue:
    """Somebody else at the same table, whose calls nothing disturbs."""
    assert queue is not None
    return DynamoQueue(other_table, default_limit=1)


def claim(queue: DynamoQueue, nonce: str = "nonce") -> Job | None:
    """Claim the job."""
    return queue.claim(JOB, host=HOST, nonce=nonce, lease_until=LEASE, now=NOW)


def running(queue: DynamoQueue) -> Job:
    """Return the job, admitted, claimed and bound."""
    queue.admit(NEW, now=NOW)
    claim(queue)
    job = queue.bind(JOB, fence=1, host=HOST.id, lease_until=LEASE, now=NOW)
    assert job is not None
    return job


def finish(queue: DynamoQueue) -> Job | None:
    """Finish the first attempt."""
    return queue.finish(JOB, fence=1, outcome=Outcome.SUCCEEDED, reason="", now=NOW)


def cancel(queue: DynamoQueue) -> Job | None:
    """Cancel the job."""
    return queue.cancel(JOB, outcome=Outcome.CANCELLED, reason="by mia", now=NOW)


def held(queue: DynamoQueue) -> tuple[set[str], set[str]]:
    """Return which jobs hold the tenant's and the host's slots."""
    tenant, host = queue.get_tenant("acme"), queue.get_host(HOST.id)
    return set(tenant.jobs if tenant else ()), set(host.jobs if host else ())


def test_a_job_cancelled_under_its_finish_ends_as_cancelled(
    queue: DynamoQueue, other: DynamoQueue, disturbance: Disturbance
) -> None:
    running(queue)
    disturbance.on("TransactWriteItems", meanwhile(lambda: cancel(other)))

    ended = finish(queue)

    assert ended == queue.get_job(JOB)
    assert ended is not None
    assert (ended.outcome, ended.reason) == (Outcome.CANCELLED, "by mia")
    assert held(queue) == (set(), set())


def test_a_job_requeued_under_its_finish_is_lost_to_it(
    queue: DynamoQueue, other: DynamoQueue, disturbance: Disturbance
) -> None:
    job = running(queue)
    disturbance.on(
        "TransactWriteItems", meanwhile(lambda: other.requeue(job, reason="lost", now=NOW))
    )

    assert finish(queue) is None
    assert held(queue) == ({JOB}, set())


def test_a_job_claimed_again_under_a_late_finish_keeps_its_slots(
    queue: DynamoQueue, other: DynamoQueue, disturbance: Disturbance
) -> None:
    job = running(queue)

    def others() -> None:
        other.requeue(job, reason="lost", now=NOW)
        claim(other, "second")

    disturbance.on("TransactWriteItems", meanwhile(others))

    assert finish(queue) is None
    assert held(queue) == ({JOB}, {JOB})


def test_a_job_finished_under_its_cancel_keeps_its_outcome(
    queue: DynamoQueue, other: DynamoQueue, disturbance: Disturbance
) -> None:
    running(queue)
    disturbance.on("UpdateItem", meanwhile(lambda: finish(other)))

    after = cancel(queue)

    assert after is not None
    assert (after.state, after.outcome) == (JobState.DONE, Outcome.SUCCEEDED)


def test_a_job_claimed_under_its_cancel_keeps_its_slots_until_it_ends(
    queue: DynamoQueue, other: DynamoQueue, disturbance: Disturbance
) -> None:
    queue.admit(NEW, now=NOW)
    disturbance.on("TransactWriteItems", meanwhile(lambda: claim(other)))

    after = cancel(queue)

    assert after is not None
    assert after.state is JobState.CANCELLING
    assert held(queue) == ({JOB}, {JOB})


@pytest.mark.parametrize(
    "act",
    [
        cancel,
        lambda other: claim(other, "winner"),
        lambda other: other.set_host_state(HOST.id, HostState.DRAINING),
        lambda other: other.register_host(replace(HOST, generation="boot-2")),
        lambda other: other.register_host(replace(HOST, slots=0)),
    ],
    ids=["cancelled", "claimed", "draining", "rebooted", "full"],
)
def test_a_claim_loses_to_whatever_came_before_it(
    queue: DynamoQueue,
    other: DynamoQueue,
    disturbance: Disturbance,
    act: Callable[[DynamoQueue], object],
) -> None:
    queue.admit(NEW, now=NOW)
    disturbance.on("TransactWriteItems", meanwhile(lambda: act(other)))

    assert claim(queue) is None

    job = queue.get_job(JOB)
    assert job is not None
    assert job.owner in {"", "winner"}
    assert held(queue)[1] == ({JOB} if job.owner else set())


def test_the_last_slot_taken_under_an_admission_leaves_the_job_pending(
    queue: DynamoQueue, other: DynamoQueue, disturbance: Disturbance
) -> None:
    rival = replace(NEW, id="b" * 16)
    disturbance.on("TransactWriteItems", meanwhile(lambda: other.admit(rival, now=NOW)))

    assert queue.admit(NEW, now=NOW) is Admission.PENDING
    assert held(queue)[0] == {rival.id}


def test_a_job_admitted_by_somebody_else_at_once_exists(
    queue: DynamoQueue, other: DynamoQueue, disturbance: Disturbance
) -> None:
    later = NOW + timedelta(seconds=1)
    disturbance.on("TransactWriteItems", meanwhile(lambda: other.admit(NEW, now=later)))

    assert queue.admit(NEW, now=NOW) is Admission.EXISTS


def test_a_slot_freed_under_an_admission_is_used_at_once(
    queue: DynamoQueue, other: DynamoQueue, disturbance: Disturbance
) -> None:
    """Nobody else would promote it: the one who freed the slot saw no backlog."""
    queue.admit(replace(NEW, id="b" * 16), now=NOW)

    def free() -> None:
        other.cancel("b" * 16, outcome=Outcome.CANCELLED, reason="", now=NOW)

    disturbance.on("PutItem", meanwhile(free))

    assert queue.admit(NEW, now=NOW) is Admission.READY
    assert held(queue)[0] == {JOB}


def test_a_pending_job_cancelled_under_its_promotion_takes_no_slot(
    queue: DynamoQueue, other: DynamoQueue, disturbance: Disturbance
) -> None:
    queue.admit(replace(NEW, id="b" * 16), now=NOW)
    queue.admit(NEW, now=NOW)
    queue.cancel("b" * 16, outcome=Outcome.CANCELLED, reason="", now=NOW)
    disturbance.on("TransactWriteItems", meanwhile(lambda: cancel(other)))

    assert queue.promote("acme", now=NOW) is None
    assert held(queue)[0] == set()


def test_a_claim_cancelled_under_its_release_is_not_released(
    queue: DynamoQueue, other: DynamoQueue, disturbance: Disturbance
) -> None:
    queue.admit(NEW, now=NOW)
    claim(queue)
    disturbance.on("TransactWriteItems", meanwhile(lambda: cancel(other)))

    assert not queue.release(JOB, fence=1, reason="no", now=NOW)
    assert held(queue) == ({JOB}, {JOB})


@pytest.mark.parametrize("second", [token_forgotten, meanwhile(lambda: None)])
def test_transactions_whose_answers_are_lost_answer_as_if_they_were_not(
    queue: DynamoQueue, disturbance: Disturbance, second: Interrupt
) -> None:
    """With the token remembered it is a replay; with it forgotten a refusal that is one's own."""

    def lose() -> None:
        disturbance.on("TransactWriteItems", answer_lost, second)

    lose()
    assert queue.admit(NEW, now=NOW) is Admission.READY
    lose()
    claimed = claim(queue)
    assert claimed is not None
    assert claimed == queue.get_job(JOB)
    lose()
    assert queue.release(JOB, fence=1, reason="no", now=NOW)
    reclaimed = claim(queue, "second")
    assert reclaimed is not None
    lose()
    assert queue.requeue(reclaimed, reason="lost", now=NOW)
    claim(queue, "third")
    lose()
    ended = queue.finish(JOB, fence=3, outcome=Outcome.FAILED, reason="1", now=NOW)
    assert ended is not None
    assert ended == queue.get_job(JOB)
    assert held(queue) == (set(), set())


def test_a_backlog_survives_lost_answers(queue: DynamoQueue, disturbance: Disturbance) -> None:
    queue.admit(replace(NEW, id="b" * 16), now=NOW)
    disturbance.on("PutItem", answer_lost)
    assert queue.admit(NEW, now=NOW) is Admission.PENDING
    disturbance.on("TransactWriteItems", answer_lost, token_forgotten)
    freed = queue.cancel("b" * 16, outcome=Outcome.CANCELLED, reason="", now=NOW)
    assert freed is not None
    disturbance.on("TransactWriteItems", answer_lost, token_forgotten)

    assert queue.promote("acme", now=NOW) == JOB
    assert held(queue)[0] == {JOB}


def test_single_writes_whose_answers_are_lost_answer_as_if_they_were_not(
    queue: DynamoQueue, disturbance: Disturbance
) -> None:
    queue.admit(NEW, now=NOW)
    claim(queue)

    disturbance.on("UpdateItem", answer_lost)
    bound = queue.bind(JOB, fence=1, host=HOST.id, lease_until=LEASE, now=NOW)
    disturbance.on("UpdateItem", answer_lost)
    state = queue.heartbeat(JOB, fence=1, lease_until=LEASE)
    disturbance.on("UpdateItem", answer_lost)
    cancelled = cancel(queue)

    assert bound is not None
    assert state is JobState.RUNNING
    assert cancelled == replace(
        bound, state=JobState.CANCELLING, reason="by mia", cancelled_as=Outcome.CANCELLED
    )


def test_write_units_are_those_of_the_protocol(
    queue: DynamoQueue, disturbance: Disturbance
) -> None:
    """Cost is an invariant (S15), for items with long names and reasons too."""
    long = replace(NEW, name="n" * 120, delivery="d" * 36, tenant="t" * 40, pool="large-x86")
    queue.put_tenant_limit(long.tenant, limit=2)
    disturbance.units.clear()

    for letter in "abc":
        queue.admit(replace(long, id=letter * 16), now=NOW)
    claimed = claim(queue)
    assert claimed is not None
    queue.release(JOB, fence=1, reason="r" * 300, now=NOW)
    claimed = claim(queue, "second")
    assert claimed is not None
    queue.requeue(claimed, reason="r" * 300, now=NOW)
    claim(queue, "third")
    queue.bind(JOB, fence=3, host=HOST.id, lease_until=LEASE, now=NOW, hops={"dispatched": NOW})
    queue.heartbeat(JOB, fence=3, lease_until=LEASE + timedelta(seconds=30))
    queue.finish(JOB, fence=3, outcome=Outcome.FAILED, reason="r" * 900, now=NOW)
    queue.promote(long.tenant, now=NOW)
    for letter in "bc":
        queue.cancel(letter * 16, outcome=Outcome.CANCELLED, reason="r" * 900, now=NOW)

    happy = [("admit", 5), ("claim", 5), ("bind", 1), ("heartbeat", 1), ("finish", 6)]
    assert disturbance.units == [
        *[happy[0]] * 2,
        ("admit", 2),
        happy[1],
        ("release", 5),
        happy[1],
        ("requeue", 5),
        *happy[1:],
        ("promote", 6),
        ("cancel", 5),
        ("cancel", 5),
    ]
    assert sum(units for verb, units in happy if verb != "heartbeat") == 17


def test_cancelling_costs_by_what_the_job_holds(
    queue: DynamoQueue, disturbance: Disturbance
) -> None:
    running(queue)
    queue.admit(replace(NEW, id="b" * 16), now=NOW)
    disturbance.units.clear()

    cancel(queue)
    queue.cancel("b" * 16, outcome=Outcome.CANCELLED, reason="", now=NOW)

    assert disturbance.units == [("cancel", 1), ("cancel", 2)]


def test_a_claim_on_a_ghost_of_the_index_costs_no_write(
    queue: DynamoQueue, disturbance: Disturbance
) -> None:
    running(queue)
    disturbance.units.clear()

    assert claim(queue, "late") is None
    assert disturbance.units == []
