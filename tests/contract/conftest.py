"""Every driver of a contract, behind one fixture."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.model import Host, Job
from chalicelib.queue.dynamodb import DynamoQueue
from chalicelib.queue.dynamodb_pipelines import DynamoPipelines
from chalicelib.queue.memory import memory_table
from chalicelib.queue.protocol import JobQueue, NewJob, PipelineStore
from tests.contract.transports import REAL, Site, open_site

_DRIVERS = ["memory", pytest.param("dynamodb", marks=pytest.mark.stack)]


@pytest.fixture(params=_DRIVERS)
def make_queue(request: pytest.FixtureRequest) -> Callable[[int], JobQueue]:
    """A function from the default limit to an empty queue. To be called once."""
    if request.param == "memory":
        return lambda limit: DynamoQueue(memory_table(), default_limit=limit)
    table: str = request.getfixturevalue("data_table")
    return lambda limit: DynamoQueue(table, default_limit=limit)


@pytest.fixture
def queue(make_queue: Callable[[int], JobQueue]) -> JobQueue:
    """An empty queue whose tenants have two slots each."""
    return make_queue(2)


@pytest.fixture(params=_DRIVERS)
def pipelines(request: pytest.FixtureRequest) -> PipelineStore:
    """An empty record of pipelines."""
    if request.param == "memory":
        return DynamoPipelines(memory_table())
    return DynamoPipelines(request.getfixturevalue("data_table"))


@pytest.fixture
def leased(queue: JobQueue) -> Job:
    """The job "aaaa…" of tenant acme, claimed for host-1 after a minute, with nonce "nonce"."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    host = queue.register_host(Host(id="host-1", slots=2, generation="boot-1"))
    queue.admit(NewJob(id="a" * 16, name="a", pipeline="p" * 16, tenant="acme"), now=now)
    lease_until, claimed_at = now + timedelta(seconds=120), now + timedelta(seconds=60)
    job = queue.claim("a" * 16, host=host, nonce="nonce", lease_until=lease_until, now=claimed_at)
    assert job is not None
    return job


@pytest.fixture
def running(queue: JobQueue, leased: Job) -> Job:
    """The same, bound a second later."""
    now = datetime(2026, 1, 1, 0, 1, 1, tzinfo=UTC)
    until = now + timedelta(seconds=90)
    job = queue.bind(leased.id, fence=1, host=leased.host, lease_until=until, now=now)
    assert job is not None
    return job


@pytest.fixture(params=["leased", "running"])
def attempt(request: pytest.FixtureRequest) -> Job:
    """An attempt before and after it is bound."""
    job: Job = request.getfixturevalue(request.param)
    return job


@pytest.fixture(scope="module")
def sites(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Site]]:
    """A function from a driver's name to its host, which is made once and kept for the module.

    Not for the session: tests of hosts take every container in the project for theirs.
    """
    made: dict[str, Site] = {}
    with ExitStack() as stack:

        def site(name: str) -> Site:
            if name not in made:
                made[name] = open_site(name, stack, request, tmp_path_factory)
            return made[name]

        yield site


@pytest.fixture(params=["memory", *REAL])
def site(request: pytest.FixtureRequest, sites: Callable[[str], Site]) -> Site:
    """A host behind each driver in turn, the fake too."""
    return sites(request.param)


@pytest.fixture(params=REAL)
def real_site(request: pytest.FixtureRequest, sites: Callable[[str], Site]) -> Site:
    """A real host behind each driver in turn."""
    return sites(request.param)
