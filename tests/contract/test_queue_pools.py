"""Pools of every job queue: lanes, breaker, pause."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.errors import PayloadError
from chalicelib.model import Host, Pool
from chalicelib.queue.protocol import JobQueue, NewJob

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NEW = NewJob(id="a" * 16, name="a", pipeline="p" * 16, tenant="acme")


def at(seconds: float) -> datetime:
    """Return that many seconds after the tests begin."""
    return NOW + timedelta(seconds=seconds)


def admit(queue: JobQueue, count: int) -> list[str]:
    """Admit jobs, a second apart; return their ids."""
    jobs = [f"{number:016d}" for number in range(count)]
    for second, job in enumerate(jobs):
        queue.admit(replace(NEW, id=job), now=at(second))
    return jobs


def ready(queue: JobQueue, *, limit: int = 50) -> list[str]:
    """Return the ids in the pool's lanes."""
    return [entry.job for entry in queue.ready("default", limit=limit)]


def fail(queue: JobQueue, times: int, *, first: float = 0) -> Pool:
    """Count failures, a second apart; return the pool after the last."""
    pool = queue.get_pool("default")
    for number in range(times):
        pool = queue.note_failure("default", reason="no image", now=at(first + number))
    return pool


def test_a_pool_that_nobody_set_has_the_defaults(queue: JobQueue) -> None:
    assert queue.get_pool("default") == Pool(id="default")
    assert queue.get_pool("default").barrier(NOW) == ""
    assert queue.pools() == []


def test_a_pool_is_known_from_its_first_host_on(queue: JobQueue) -> None:
    for name, pool in (("h1", "small"), ("h2", "large"), ("h3", "large")):
        queue.register_host(Host(id=name, slots=1, pool=pool))

    assert sorted(queue.pools()) == ["large", "small"]


def test_lanes_share_the_ready_queue_and_are_read_as_one(
    make_queue: Callable[[int], JobQueue],
) -> None:
    queue = make_queue(40)
    queue.put_pool_lanes("default", lanes=4, now=NOW)

    jobs = admit(queue, 12)

    assert sorted(ready(queue)) == jobs
    few = ready(queue, limit=3)
    assert len(few) == 3
    assert few == sorted(few)


def test_fewer_lanes_lose_no_job(make_queue: Callable[[int], JobQueue]) -> None:
    queue = make_queue(40)
    queue.put_pool_lanes("default", lanes=8, now=NOW)
    jobs = admit(queue, 20)

    queue.put_pool_lanes("default", lanes=1, now=at(60))

    assert sorted(ready(queue)) == jobs
    assert not queue.settle_lanes("default", now=at(60 * 60))  # they are not empty
    assert queue.get_pool("default").lanes_read == 8


def test_given_up_lanes_are_read_until_they_are_empty_and_five_minutes_old(queue: JobQueue) -> None:
    queue.put_pool_lanes("default", lanes=8, now=NOW)
    queue.put_pool_lanes("default", lanes=2, now=at(60))

    assert not queue.settle_lanes("default", now=at(60 + 299))
    assert queue.settle_lanes("default", now=at(60 + 300))
    assert not queue.settle_lanes("default", now=at(60 + 301))
    assert queue.get_pool("default").lanes_read == 2


@pytest.mark.parametrize("lanes", [0, -1, 65])
def test_a_number_of_lanes_that_cannot_be_is_refused(queue: JobQueue, lanes: int) -> None:
    with pytest.raises(PayloadError, match="1 to 64"):
        queue.put_pool_lanes("default", lanes=lanes, now=NOW)


def test_the_breaker_closes_a_pool_with_the_third_failure_in_a_row(queue: JobQueue) -> None:
    assert fail(queue, 2).barrier(at(1)) == ""

    closed = fail(queue, 1, first=2)

    assert closed == queue.get_pool("default")
    assert closed.barrier(at(2)) == "no claims until 00:00:32 UTC after 3 failures: no image"
    assert closed.barrier(at(32)) == ""


def test_each_further_failure_closes_it_for_twice_as_long_up_to_a_quarter_hour(
    queue: JobQueue,
) -> None:
    spans = []
    for number in range(9):
        pool = queue.note_failure("default", reason="no image", now=NOW)
        spans.append((pool.closed_until - NOW).total_seconds() if pool.closed_until else number)

    assert spans == [0, 1, 30, 60, 120, 240, 480, 900, 900]


def test_a_success_opens_the_breaker(queue: JobQueue) -> None:
    fail(queue, 5)

    queue.note_success("default")

    assert queue.get_pool("default") == Pool(id="default")
    queue.note_success("unknown")
    assert queue.get_pool("unknown") == Pool(id="unknown")


def test_a_pause_holds_one_pool_or_all_of_them(queue: JobQueue) -> None:
    queue.pause("default", reason="new image")
    assert queue.get_pool("default").barrier(NOW) == "paused: new image"
    assert queue.get_pool("large").barrier(NOW) == ""

    queue.pause(None, reason="maintenance")
    assert queue.get_pool("large").barrier(NOW) == "paused: maintenance"

    queue.pause(None, reason="")
    assert queue.get_pool("default").barrier(NOW) == "paused: new image"
    queue.pause("default", reason="")
    assert queue.get_pool("default").barrier(NOW) == ""
