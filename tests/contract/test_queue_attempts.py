"""One suite for every job queue: what may happen to an attempt, and what its fence keeps out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.model import Host, Job, JobState, Outcome
from chalicelib.queue.protocol import JobQueue, NewJob

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEASE = NOW + timedelta(seconds=120)
HOST = Host(id="host-1", slots=2, generation="boot-1")


def at(seconds: float) -> datetime:
    """Return that many seconds after the tests begin."""
    return NOW + timedelta(seconds=seconds)


def admit(queue: JobQueue, letters: str) -> None:
    """Admit a job for each letter; its id is the letter sixteen times."""
    for letter in letters:
        queue.admit(NewJob(id=letter * 16, name=letter, pipeline="p" * 16, tenant="acme"), now=NOW)


def finish(queue: JobQueue, job: Job, *, fence: int | None = None) -> Job | None:
    """Finish the job as failed."""
    return queue.finish(
        job.id,
        fence=job.fence if fence is None else fence,
        outcome=Outcome.FAILED,
        reason="exit status 1",
        now=at(90),
    )


def cancel(queue: JobQueue, letter: str) -> Job | None:
    """Cancel the letter's job."""
    return queue.cancel(letter * 16, outcome=Outcome.SUPERSEDED, reason="newer push", now=at(80))


def held(queue: JobQueue) -> tuple[str, dict[str, int], str]:
    """Return the letters with a tenant's slot, letter → fence on the host, and the lane."""
    tenant, host = queue.get_tenant("acme"), queue.get_host(HOST.id)
    slots = "".join(sorted(job[0] for job in tenant.jobs)) if tenant else ""
    containers = {job[0]: fence for job, fence in host.jobs.items()} if host else {}
    return slots, containers, "".join(entry.job[0] for entry in queue.ready("default"))


def test_binding_a_claimed_job_makes_it_run(queue: JobQueue, leased: Job) -> None:
    bound = queue.bind(
        leased.id,
        fence=1,
        host=HOST.id,
        lease_until=at(200),
        now=at(62),
        hops={"dispatched": at(61)},
    )

    assert bound is not None
    assert queue.get_job(leased.id) == bound
    assert (bound.state, bound.owner, bound.lease_until) == (JobState.RUNNING, HOST.id, at(200))
    assert list(bound.hops.items())[-3:] == [
        ("claimed", at(60)),
        ("dispatched", at(61)),
        ("bound", at(62)),
    ]


def test_a_repeated_bind_renews_the_lease_and_moves_no_hop(queue: JobQueue, running: Job) -> None:
    again = queue.bind(running.id, fence=1, host=HOST.id, lease_until=at(300), now=at(70))

    assert again == replace(running, lease_until=at(300))


@pytest.mark.parametrize(("fence", "host"), [(2, "host-1"), (0, "host-1"), (1, "host-2")])
def test_a_bind_by_another_attempt_or_host_is_refused(
    queue: JobQueue, leased: Job, fence: int, host: str
) -> None:
    assert queue.bind(leased.id, fence=fence, host=host, lease_until=LEASE, now=at(61)) is None
    assert queue.get_job(leased.id) == leased


def test_a_bind_after_a_cancel_is_refused(queue: JobQueue, leased: Job) -> None:
    cancel(queue, "a")

    assert queue.bind(leased.id, fence=1, host=HOST.id, lease_until=LEASE, now=at(81)) is None


def test_a_heartbeat_renews_the_lease_and_tells_of_a_cancel(queue: JobQueue, running: Job) -> None:
    assert queue.heartbeat(running.id, fence=1, lease_until=at(200)) is JobState.RUNNING
    cancel(queue, "a")
    assert queue.heartbeat(running.id, fence=1, lease_until=at(300)) is JobState.CANCELLING
    renewed = queue.get_job(running.id)
    assert renewed is not None
    assert renewed.lease_until == at(300)


def test_a_heartbeat_of_a_lost_attempt_is_refused(queue: JobQueue, running: Job) -> None:
    assert queue.heartbeat(running.id, fence=2, lease_until=at(500)) is None
    finish(queue, running)

    assert queue.heartbeat(running.id, fence=1, lease_until=at(500)) is None
    assert queue.heartbeat("x" * 16, fence=1, lease_until=at(500)) is None


def test_finishing_frees_both_slots(queue: JobQueue, attempt: Job) -> None:
    ended = finish(queue, attempt)

    assert ended is not None
    assert queue.get_job("a" * 16) == ended
    assert (ended.state, ended.outcome, ended.reason) == (
        JobState.DONE,
        Outcome.FAILED,
        "exit status 1",
    )
    assert ended.hops["finished"] == at(90)
    assert ended.lease_until is None
    assert held(queue) == ("", {}, "")


def test_a_finish_carries_the_start_and_keeps_the_order_of_hops(
    queue: JobQueue, running: Job
) -> None:
    ended = queue.finish(
        running.id,
        fence=1,
        outcome=Outcome.SUCCEEDED,
        reason="",
        now=at(90),
        hops={"started": at(63), "bound": at(1), "dispatched": at(60)},
    )

    assert ended == queue.get_job(running.id)
    assert ended is not None
    assert list(ended.hops) == [
        "admitted", "ready", "claimed", "dispatched", "bound", "started", "finished",
    ]  # fmt: skip
    assert ended.hops["bound"] == at(61)


def test_a_repeated_finish_has_the_first_ones_answer(queue: JobQueue, running: Job) -> None:
    first = finish(queue, running)

    again = queue.finish(
        running.id, fence=1, outcome=Outcome.SUCCEEDED, reason="never mind", now=at(95)
    )

    assert again == first == queue.get_job(running.id)


def test_a_finish_of_another_fence_changes_nothing(queue: JobQueue, running: Job) -> None:
    assert finish(queue, running, fence=0) is None
    assert finish(queue, running, fence=2) is None
    assert queue.get_job(running.id) == running
    assert held(queue)[1] == {"a": 1}


def test_a_job_that_was_never_claimed_cannot_be_finished(queue: JobQueue) -> None:
    admit(queue, "abc")
    cancel(queue, "b")

    assert [finish(queue, job) for job in queue.get_jobs(x * 16 for x in "abc").values()] == [
        None
    ] * 3
    assert queue.finish("x" * 16, fence=0, outcome=Outcome.FAILED, reason="", now=NOW) is None


def test_a_zombie_cannot_finish_a_job_that_was_requeued_and_cancelled(
    queue: JobQueue, running: Job
) -> None:
    queue.requeue(running, reason="lease lost", now=at(130))
    cancel(queue, "a")

    assert finish(queue, running) is None
    ended = queue.get_job(running.id)
    assert ended is not None
    assert ended.outcome is Outcome.SUPERSEDED


def test_release_gives_the_claim_back_uncharged(queue: JobQueue, leased: Job) -> None:
    assert queue.release(leased.id, fence=1, reason="host is full", now=at(70))

    released = queue.get_job(leased.id)
    assert released is not None
    assert (released.state, released.attempts, released.fence) == (JobState.READY, 0, 1)
    assert (released.owner, released.host, released.lease_until) == ("", "", None)
    assert released.stamp == leased.stamp
    assert released.hops == {"admitted": at(0), "ready": at(70)}
    assert held(queue) == ("a", {}, "a")


def test_a_repeated_release_is_true_and_changes_nothing(queue: JobQueue, leased: Job) -> None:
    queue.release(leased.id, fence=1, reason="host is full", now=at(70))
    released = queue.get_job(leased.id)

    assert queue.release(leased.id, fence=1, reason="again", now=at(71))
    assert queue.get_job(leased.id) == released


def test_only_the_current_claim_can_be_released(queue: JobQueue, running: Job) -> None:
    admit(queue, "b")

    assert not queue.release(running.id, fence=1, reason="", now=at(70))
    assert not queue.release(running.id, fence=2, reason="", now=at(70))
    assert not queue.release("b" * 16, fence=0, reason="", now=at(70))
    assert not queue.release("x" * 16, fence=1, reason="", now=at(70))
    assert queue.get_job(running.id) == running


def test_requeue_keeps_stamp_tenant_slot_and_charge(queue: JobQueue, attempt: Job) -> None:
    assert queue.requeue(attempt, reason="lease lost", now=at(130))

    back = queue.get_job(attempt.id)
    assert back is not None
    assert (back.state, back.attempts, back.fence, back.host) == (JobState.READY, 1, 1, "")
    assert (back.stamp, back.reason) == (attempt.stamp, "lease lost")
    assert held(queue) == ("a", {}, "a")


def test_the_next_attempt_has_the_next_fence_and_fresh_hops(queue: JobQueue, running: Job) -> None:
    queue.requeue(running, reason="lease lost", now=at(130))

    again = queue.claim(running.id, host=HOST, nonce="second", lease_until=LEASE, now=at(140))

    assert again is not None
    assert (again.fence, again.attempts) == (2, 2)
    assert list(again.hops) == ["admitted", "ready", "claimed"]
    assert held(queue)[1] == {"a": 2}
    assert finish(queue, running) is None
    assert queue.heartbeat(running.id, fence=1, lease_until=at(999)) is None


def test_a_renewed_lease_protects_from_a_requeue(queue: JobQueue, running: Job) -> None:
    queue.heartbeat(running.id, fence=1, lease_until=at(999))

    assert not queue.requeue(running, reason="lease lost", now=at(130))
    assert held(queue)[1] == {"a": 1}


def test_a_slow_reaper_does_not_requeue_the_next_attempt(queue: JobQueue, leased: Job) -> None:
    """Leases may agree by chance; fences never do."""
    queue.requeue(leased, reason="lease lost", now=at(130))
    again = queue.claim(leased.id, host=HOST, nonce="second", lease_until=LEASE, now=at(60))

    assert not queue.requeue(leased, reason="lease lost", now=at(131))
    assert queue.get_job(leased.id) == again
    assert held(queue) == ("a", {"a": 2}, "")


def test_what_is_over_or_being_cancelled_is_not_requeued(queue: JobQueue, running: Job) -> None:
    cancel(queue, "a")
    assert not queue.requeue(running, reason="lease lost", now=at(130))

    ended = finish(queue, running)

    assert ended is not None
    assert not queue.requeue(running, reason="lease lost", now=at(131))
    assert not queue.requeue(ended, reason="lease lost", now=at(131))
    assert queue.get_job(running.id) == ended


def test_a_live_job_keeps_its_slots_until_its_attempt_has_ended(
    queue: JobQueue, attempt: Job
) -> None:
    cancelled = cancel(queue, "a")

    assert cancelled == replace(
        attempt,
        state=JobState.CANCELLING,
        reason="newer push",
        cancelled_as=Outcome.SUPERSEDED,
    )
    assert held(queue) == ("a", {"a": 1}, "")
    ended = finish(queue, attempt)
    assert ended is not None
    assert (ended.outcome, ended.reason) == (Outcome.SUPERSEDED, "newer push")
    assert held(queue) == ("", {}, "")


def test_a_repeated_cancel_and_one_of_an_ended_job_change_nothing(
    queue: JobQueue, running: Job
) -> None:
    assert cancel(queue, "a") == cancel(queue, "a")
    ended = finish(queue, running)

    assert cancel(queue, "a") == ended
    assert cancel(queue, "x") is None
