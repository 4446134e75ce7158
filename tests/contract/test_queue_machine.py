"""Random operations against every job queue: invariants S1 to S8 and S13 hold after each of them.

The numbers are those of docs/decisions/0002-queue-protocol.md. The machine keeps the history that
the store does not: which fences were claimed, which outcomes were accepted.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from pynamodb.connection import Connection

from chalicelib.clock import ManualClock
from chalicelib.model import HOLDS_SLOT, Host, HostState, Job, JobState, Outcome
from chalicelib.queue.dynamodb import DynamoQueue
from chalicelib.queue.dynamodb_table import DynamoTable
from chalicelib.queue.memory import memory_table
from chalicelib.queue.protocol import Admission, JobQueue, NewJob
from tests.faulty_endpoint import FAULTS, FaultyEndpoint, faulty_endpoint_before

START = datetime(2026, 1, 1, tzinfo=UTC)
LIMIT = 2
SLOTS = 3
TENANTS = ("acme", "initech")
JOBS = st.integers(0, 5).map(lambda number: f"{number:016d}")
LAGS = st.sampled_from((0, 0, 0, 1, 2, -1))
HOSTS = st.sampled_from(("host-1", "host-2"))
OUTCOMES = st.sampled_from((Outcome.SUCCEEDED, Outcome.FAILED, Outcome.INFRASTRUCTURE))
WAITS = st.integers(0, 90).map(lambda seconds: timedelta(seconds=seconds))


class QueueMachine(RuleBasedStateMachine):
    """Actors that may be late, repeat themselves, or have lost their attempt long ago."""

    make: Callable[[], JobQueue]

    def __init__(self) -> None:
        super().__init__()
        self.queue = type(self).make()
        self.now = START
        self.nonces = (f"nonce-{number}" for number in count())
        self.claims: dict[str, list[int]] = {}
        self.ends: dict[str, Job] = {}
        self.cancelled: set[str] = set()
        self.fences: dict[str, int] = {}
        self.admitted: set[str] = set()
        self.seen: dict[str, Job] = {}
        self.limits = dict.fromkeys(TENANTS, LIMIT)
        self.held = dict.fromkeys(TENANTS, 0)
        for host in ("host-1", "host-2"):
            self.queue.register_host(Host(id=host, slots=SLOTS, generation="boot"))

    @rule(job=JOBS, wait=WAITS, priority_s=st.sampled_from((-600, 0, 600)))
    def admit(self, job: str, wait: timedelta, priority_s: int) -> None:
        """Ask for a slot; a delivery may be repeated at any time."""
        self.now += wait
        answer = self.queue.admit(_new(job, priority_s), now=self.now)
        assert (answer is Admission.EXISTS) == (job in self.admitted)
        self.admitted.add(job)

    @rule(job=JOBS)
    def skip(self, job: str) -> None:
        """End a job that was not admitted, unless it was."""
        skipped = self.queue.skip(
            _new(job), outcome=Outcome.CANCELLED, reason="a need failed", now=self.now
        )
        assert skipped == (job not in self.admitted)
        self.admitted.add(job)

    @rule(tenant=st.sampled_from(TENANTS), limit=st.sampled_from((0, 1, 2, 3, 81)))
    def put_tenant_limit(self, tenant: str, limit: int) -> None:
        """Change a limit, also below what runs, and beyond what one item holds."""
        self.queue.put_tenant_limit(tenant, limit=limit)
        self.limits[tenant] = limit

    @rule(tenant=st.sampled_from(TENANTS), wait=WAITS)
    def tidy_tenant(self, tenant: str, wait: timedelta) -> None:
        """Do what the sweeper does with a tenant."""
        self.now += wait
        self.queue.settle_limit(tenant)
        self.queue.forget_idle(tenant, before=self.now)

    @rule(lanes=st.integers(1, 5), wait=WAITS)
    def change_lanes(self, lanes: int, wait: timedelta) -> None:
        """Change how many lanes there are, and give up empty ones that are old."""
        self.now += 4 * wait
        self.queue.settle_lanes("default", now=self.now)
        self.queue.put_pool_lanes("default", lanes=lanes, now=self.now)

    @rule(tenant=st.sampled_from(TENANTS))
    def promote(self, tenant: str) -> None:
        """Give a free slot on."""
        self.queue.promote(tenant, now=self.now)

    @rule(job=JOBS, host=HOSTS, wait=WAITS, repeated=st.booleans())
    def claim(self, job: str, host: str, wait: timedelta, *, repeated: bool) -> None:
        """Claim, perhaps twice after a lost answer."""
        self.now += wait
        seen = self.queue.get_host(host)
        assert seen is not None
        nonce = next(self.nonces)
        until = self.now + timedelta(seconds=120)
        claimed = self.queue.claim(job, host=seen, nonce=nonce, lease_until=until, now=self.now)
        if repeated:
            again = self.queue.claim(job, host=seen, nonce=nonce, lease_until=until, now=self.now)
            assert again == claimed
        if claimed is not None:
            assert job not in self.cancelled  # S13
            self.claims.setdefault(job, []).append(claimed.fence)
            self.seen[job] = claimed

    @rule(job=JOBS, lag=LAGS, host=HOSTS)
    def bind(self, job: str, lag: int, host: str) -> None:
        """Bind, perhaps as a zombie, perhaps on the wrong host."""
        before, fence = self._attempt(job, lag)
        until = self.now + timedelta(seconds=90)
        bound = self.queue.bind(job, fence=fence, host=host, lease_until=until, now=self.now)
        self._fenced(before, bound is not None, fence)

    @rule(job=JOBS, lag=LAGS)
    def heartbeat(self, job: str, lag: int) -> None:
        """Renew a lease, perhaps as a zombie."""
        before, fence = self._attempt(job, lag)
        until = self.now + timedelta(seconds=90)
        state = self.queue.heartbeat(job, fence=fence, lease_until=until)
        self._fenced(before, state is not None, fence)

    @rule(job=JOBS, lag=LAGS, outcome=OUTCOMES, repeated=st.booleans())
    def finish(self, job: str, lag: int, outcome: Outcome, *, repeated: bool) -> None:
        """Finish, perhaps as a zombie, perhaps twice."""
        before, fence = self._attempt(job, lag)
        ended = self._finish(job, fence, outcome)
        if repeated:
            assert self._finish(job, fence, outcome) == ended
        self._fenced(before, ended is not None, fence)
        if ended is not None:
            assert ended.fence == fence  # S6
            assert self.ends.setdefault(job, ended) == ended  # S5

    @rule(job=JOBS, lag=LAGS)
    def release(self, job: str, lag: int) -> None:
        """Give a claim back, perhaps somebody else's."""
        before, fence = self._attempt(job, lag)
        released = self.queue.release(job, fence=fence, reason="no", now=self.now)
        self._fenced(before, released, fence)

    @rule(job=JOBS, wait=WAITS)
    def requeue(self, job: str, wait: timedelta) -> None:
        """Requeue what was seen some time ago, as a slow reaper does."""
        self.now += wait
        if job in self.seen:
            before = self.queue.get_job(job)
            done = self.queue.requeue(self.seen[job], reason="lost", now=self.now)
            self._fenced(before, done, self.seen[job].fence)

    @rule(job=JOBS)
    def look(self, job: str) -> None:
        """See a job as a reaper does, to requeue it later."""
        found = self.queue.get_job(job)
        if found is not None:
            self.seen[job] = found

    @rule(job=JOBS)
    def cancel(self, job: str) -> None:
        """Cancel in whatever state."""
        after = self.queue.cancel(job, outcome=Outcome.SUPERSEDED, reason="new", now=self.now)
        assert (after is None) == (job not in self.admitted)
        if after is not None:
            assert after.state in {JobState.DONE, JobState.CANCELLING}
            self.cancelled.add(job)

    @rule(host=HOSTS, state=st.sampled_from(HostState))
    def set_host_state(self, host: str, state: HostState) -> None:
        """Drain, lose or bring back a host."""
        self.queue.set_host_state(host, state)

    @rule(host=HOSTS, generation=st.sampled_from(("boot", "reboot")))
    def register_host(self, host: str, generation: str) -> None:
        """Boot a host anew."""
        self.queue.register_host(Host(id=host, slots=SLOTS, generation=generation))

    @invariant()
    def invariants_hold(self) -> None:
        """S1 to S8 on a snapshot."""
        jobs = self.queue.get_jobs(sorted(self.admitted))
        assert set(jobs) == self.admitted  # S14: nothing is lost
        self._slots_hold(jobs)
        self._history_holds(jobs)

    def _slots_hold(self, jobs: Mapping[str, Job]) -> None:
        for name in TENANTS:
            tenant = self.queue.get_tenant(name)
            held = tenant.jobs if tenant else frozenset()
            assert len(held) <= max(self.limits[name], self.held[name])  # S1: no more, if above
            self.held[name] = len(held)
            mine = {job.id for job in jobs.values() if job.tenant == name}
            assert held == {job for job in mine if jobs[job].state in HOLDS_SLOT}  # S2
        ready = {job.id for job in jobs.values() if job.state is JobState.READY}
        assert {entry.job for entry in self.queue.ready("default", limit=50)} == ready  # S3
        pending = {job.id for job in jobs.values() if job.state is JobState.PENDING}
        behind = [self.queue.backlog(name, limit=50) for name in TENANTS]
        assert {entry.job for entries in behind for entry in entries} == pending
        active = {tenant.id for tenant in self.queue.active_tenants()}
        assert {
            job.tenant for job in jobs.values() if job.state in HOLDS_SLOT | {JobState.PENDING}
        } <= active
        for host in self.queue.hosts("default"):
            assert len(host.jobs) <= SLOTS  # S8
            held_here = {
                job.id: job.fence for job in jobs.values() if job.live and job.host == host.id
            }
            assert dict(host.jobs) == held_here

    def _history_holds(self, jobs: Mapping[str, Job]) -> None:
        for job in jobs.values():
            claims = self.claims.get(job.id, [])
            assert claims == list(range(1, job.fence + 1))  # S4
            assert job.fence >= self.fences.get(job.id, 0)
            self.fences[job.id] = job.fence
            assert job.attempts <= job.fence
            if job.state is JobState.DONE:
                assert self.ends.setdefault(job.id, job) == job  # S5
            else:
                assert job.id not in self.ends

    def _attempt(self, job: str, lag: int) -> tuple[Job | None, int]:
        """Return the job and the fence of an attempt that lags behind by so many."""
        found = self.queue.get_job(job)
        return found, max(0, (found.fence if found else 1) - lag)

    def _finish(self, job: str, fence: int, outcome: Outcome) -> Job | None:
        return self.queue.finish(job, fence=fence, outcome=outcome, reason="", now=self.now)

    def _fenced(self, before: Job | None, accepted: bool, fence: int) -> None:  # noqa: FBT001 a verdict
        """S10: an old fence changes nothing, and is told so."""
        if before is None or before.fence != fence:
            assert not accepted
            assert before is None or self.queue.get_job(before.id) == before


def _new(job: str, priority_s: int = 0) -> NewJob:
    return NewJob(id=job, name=job, pipeline="p", tenant=_tenant(job), priority_s=priority_s)


def _tenant(job: str) -> str:
    return TENANTS[int(job) % 2]


@contextmanager
def machine_over(make: Callable[[], JobQueue]) -> Iterator[type[QueueMachine]]:
    """Give the machine class over queues that `make` makes."""
    yield type("Machine", (QueueMachine,), {"make": staticmethod(make)})


@pytest.mark.timeout(180)
def test_invariants_hold_in_memory_after_any_operations() -> None:
    with machine_over(lambda: DynamoQueue(memory_table(), default_limit=LIMIT)) as machine:
        run_state_machine_as_test(
            machine, settings=settings(max_examples=150, stateful_step_count=60, deadline=None)
        )


@pytest.fixture
def faulty_endpoint(
    data_table: str, emulator_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FaultyEndpoint]:
    """A proxy before the emulator, which this process's SDKs use once the table is there."""
    assert data_table
    with faulty_endpoint_before(emulator_url, tmp_path) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


@pytest.mark.stack
@pytest.mark.timeout(180)
def test_invariants_hold_in_dynamodb_whatever_is_refused_or_left_unanswered(
    data_table: str, faulty_endpoint: FaultyEndpoint
) -> None:
    """Fewer examples: each step is some ten calls over HTTP. Each rule of faults has to fire."""
    declared = Connection().dispatch("DescribeTable", {"TableName": data_table})["Table"]
    numbers = count()

    def make() -> JobQueue:
        name = f"{data_table}-{next(numbers)}"
        Connection().dispatch("CreateTable", create_like(declared, name))
        table = DynamoTable(name, clock=ManualClock())  # waits between tries take no time
        return DynamoQueue(table, default_limit=LIMIT)

    with machine_over(make) as machine:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=8,
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )

    fired = faulty_endpoint.fired()
    assert set(fired) == set(FAULTS), fired


def create_like(declared: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the request that creates a table like the one described."""
    index = declared["GlobalSecondaryIndexes"][0]
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": declared["AttributeDefinitions"],
        "KeySchema": declared["KeySchema"],
        "GlobalSecondaryIndexes": [
            {key: index[key] for key in ("IndexName", "KeySchema", "Projection")}
        ],
    }
