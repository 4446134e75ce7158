"""Releases beside each other: what each may do with items of the other's schema version."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.errors import StoreUnavailableError
from chalicelib.model import Host, JobState
from chalicelib.queue.dynamodb import DynamoQueue
from chalicelib.queue.dynamodb_versions import ITEM_VERSION
from chalicelib.queue.memory import MemoryDynamo
from chalicelib.queue.protocol import Admission, NewJob

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JOB = "a" * 16
NEW = NewJob(id=JOB, name="n", pipeline="p" * 16, tenant="acme")
HOST = Host(id="host-1", slots=1, generation="boot-1")
LATER = NOW + timedelta(minutes=2)


class Releases:
    """One table, and the queue as each release has it."""

    def __init__(self) -> None:
        self.dynamo = MemoryDynamo()
        self.old, self.new, self.next = (
            DynamoQueue(self.dynamo.table(version=version), default_limit=2)
            for version in (ITEM_VERSION - 1, ITEM_VERSION, ITEM_VERSION + 1)
        )

    def run(self, queue: DynamoQueue) -> None:
        """Bring the job to RUNNING as fence 1."""
        queue.register_host(HOST)
        queue.admit(NEW, now=NOW)
        queue.claim(JOB, host=HOST, nonce="n", lease_until=LATER, now=NOW)
        queue.bind(JOB, fence=1, host=HOST.id, lease_until=LATER, now=NOW)

    def versions(self) -> dict[str, int]:
        """Return the version of each item, by key."""
        return {pk: int(raw["v"]["N"]) for (pk, _), raw in self.dynamo.items().items()}


@pytest.fixture
def releases() -> Releases:
    """An empty table."""
    return Releases()


def test_every_write_says_its_version(releases: Releases) -> None:
    releases.run(releases.new)

    assert set(releases.versions().values()) == {ITEM_VERSION}


def test_items_of_the_release_before_are_taken_on(releases: Releases) -> None:
    releases.run(releases.old)

    assert releases.new.heartbeat(JOB, fence=1, lease_until=LATER) is JobState.RUNNING

    assert releases.versions()[f"J#{JOB}"] == ITEM_VERSION
    assert releases.versions()["T#acme"] == ITEM_VERSION - 1


def test_items_of_two_releases_before_are_refused(releases: Releases) -> None:
    releases.run(releases.old)

    with pytest.raises(StoreUnavailableError, match=f"schema {ITEM_VERSION - 1}; this release"):
        releases.next.get_job(JOB)


@pytest.mark.parametrize(
    "ask",
    [
        lambda queue: queue.get_job(JOB),
        lambda queue: queue.get_jobs([JOB]),
        lambda queue: queue.admit(NEW, now=NOW),
        lambda queue: queue.put_tenant_limit("acme", limit=1),
        lambda queue: queue.register_host(HOST),
        lambda queue: queue.heartbeat(JOB, fence=1, lease_until=LATER),
        lambda queue: queue.bind(JOB, fence=1, host=HOST.id, lease_until=LATER, now=NOW),
    ],
    ids=["get", "get many", "admit", "limit", "host", "heartbeat", "bind"],
)
def test_items_of_a_newer_release_are_left_alone(
    releases: Releases, ask: Callable[[DynamoQueue], object]
) -> None:
    """By an error that is repeated, and comes to a newer function: never as a condition that failed.

    A heartbeat that was answered "lost" would end a sound attempt.
    """
    releases.run(releases.new)
    before = dict(releases.dynamo.items())

    with pytest.raises(StoreUnavailableError, match=f"this release reads {ITEM_VERSION - 1}"):
        ask(releases.old)

    assert dict(releases.dynamo.items()) == before


def test_a_tenant_of_the_release_before_admits_a_job_of_the_new_one(releases: Releases) -> None:
    assert releases.old.admit(NEW, now=NOW) is Admission.READY

    second = NewJob(id="b" * 16, name="n", pipeline="p" * 16, tenant="acme")

    assert releases.new.admit(second, now=NOW) is Admission.READY
