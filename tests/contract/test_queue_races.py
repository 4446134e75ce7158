"""Every job queue under threads: limits are exact, and nothing is lost or had twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from chalicelib.model import Host, Job, JobState, Outcome
from chalicelib.queue.protocol import JobQueue, NewJob

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LEASE = NOW + timedelta(seconds=120)
HOST = Host(id="host-1", slots=2, generation="boot-1")


def new(number: int) -> NewJob:
    """Return the job of that number."""
    return NewJob(id=f"{number:016d}", name=f"{number}", pipeline="p" * 16, tenant="acme")


def finish(queue: JobQueue, job: Job) -> None:
    """End the job and give its slot on."""
    queue.finish(job.id, fence=job.fence, outcome=Outcome.SUCCEEDED, reason="", now=NOW)
    queue.promote("acme", now=NOW)


def slots(queue: JobQueue) -> frozenset[str]:
    """Return the jobs that hold a slot."""
    tenant = queue.get_tenant("acme")
    return tenant.jobs if tenant else frozenset()


def run_ready(queue: JobQueue, nonce: str) -> int:
    """Run what is ready, as far as this caller wins it; return the slots that were in use."""
    most = 0
    for entry in queue.ready("default", limit=3):
        nonce_here = f"{nonce}-{entry.job}"
        job = queue.claim(entry.job, host=HOST, nonce=nonce_here, lease_until=LEASE, now=NOW)
        most = max(most, len(slots(queue)))
        if job is not None:
            finish(queue, job)
    return most


def test_a_tenants_limit_is_exact_under_sixteen_threads(
    make_queue: Callable[[int], JobQueue],
) -> None:
    queue = make_queue(5)
    queue.register_host(replace(HOST, slots=100))

    def actor(number: int) -> int:
        queue.admit(new(number), now=NOW + timedelta(seconds=number))
        return run_ready(queue, f"{number}")

    with ThreadPoolExecutor(16) as pool:
        most = max(pool.map(actor, range(40)))
    while queue.promote("acme", now=NOW) or queue.ready("default"):  # what the sweeper does
        run_ready(queue, "sweeper")

    assert 0 < most <= 5
    jobs = queue.get_jobs(new(number).id for number in range(40)).values()
    assert [(job.state, job.fence) for job in jobs] == [(JobState.DONE, 1)] * 40
    assert slots(queue) == frozenset()


def test_eight_claimers_claim_each_job_once_and_never_overfill_a_host(
    make_queue: Callable[[int], JobQueue],
) -> None:
    queue = make_queue(40)
    queue.register_host(replace(HOST, slots=15))
    for number in range(20):
        queue.admit(new(number), now=NOW)

    def claimer(number: int) -> list[str]:
        won = []
        for entry in queue.ready("default", limit=20):
            nonce = f"{number}-{entry.job}"
            if queue.claim(entry.job, host=HOST, nonce=nonce, lease_until=LEASE, now=NOW):
                won.append(entry.job)
        return won

    with ThreadPoolExecutor(8) as pool:
        won = [job for jobs in pool.map(claimer, range(8)) for job in jobs]

    assert len(won) == len(set(won)) == 15
    host = queue.get_host(HOST.id)
    assert host is not None
    assert dict(host.jobs) == dict.fromkeys(won, 1)


def test_of_many_finishes_and_requeues_at_once_one_decides(
    make_queue: Callable[[int], JobQueue],
) -> None:
    """Whoever wins, both slots end up as the job's state says."""
    queue = make_queue(20)
    queue.register_host(replace(HOST, slots=20))
    claimed = []
    for number in range(10):
        queue.admit(new(number), now=NOW)
        job = queue.claim(new(number).id, host=HOST, nonce=f"{number}", lease_until=LEASE, now=NOW)
        assert job is not None
        claimed.append(job)

    with ThreadPoolExecutor(8) as pool:
        for job in claimed:
            pool.submit(queue.requeue, job, reason="lease lost", now=NOW)
            pool.submit(finish, queue, job)
            pool.submit(queue.cancel, job.id, outcome=Outcome.CANCELLED, reason="", now=NOW)

    after = queue.get_jobs(job.id for job in claimed)
    live = {job.id for job in after.values() if job.live}
    assert all(job.fence == 1 for job in after.values())
    assert slots(queue) == {job.id for job in after.values() if job.state is not JobState.DONE}
    host = queue.get_host(HOST.id)
    assert host is not None
    assert set(host.jobs) == live
