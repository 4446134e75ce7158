"""Groups of every job queue: the newest head of a ref, by the chain of its pushes."""

from datetime import UTC, datetime

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.model import Group
from chalicelib.queue.dynamodb import DynamoQueue
from chalicelib.queue.memory import memory_table
from chalicelib.queue.protocol import JobQueue

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def push(queue: JobQueue, before: str, after: str, *, pipeline: str | None = None) -> Group:
    """Let a push become the newest, if it follows the newest."""
    planned = f"pipeline-{after}" if pipeline is None else pipeline
    return queue.advance_group("g", seen=before, sha=after, pipeline=planned, now=NOW)


def test_the_first_push_is_the_newest(queue: JobQueue) -> None:
    assert queue.get_group("g") is None

    group = push(queue, "", "a")

    assert group == Group(id="g", sha="a", pipeline="pipeline-a") == queue.get_group("g")


def test_a_push_that_follows_takes_over_and_names_the_one_before(queue: JobQueue) -> None:
    push(queue, "", "a")

    group = push(queue, "a", "b")

    assert group == Group(id="g", sha="b", pipeline="pipeline-b", previous="pipeline-a")
    assert queue.get_group("g") == group


def test_a_repeat_changes_nothing_and_has_the_same_answer(queue: JobQueue) -> None:
    """A planner that was killed before it cancelled finds again what to cancel."""
    push(queue, "", "a")
    first = push(queue, "a", "b")

    assert push(queue, "a", "b") == first
    assert queue.get_group("g") == first


def test_a_push_that_does_not_follow_changes_nothing(queue: JobQueue) -> None:
    push(queue, "", "a")
    newest = push(queue, "a", "b")

    assert push(queue, "", "a") == newest
    assert push(queue, "x", "c") == newest


def test_a_head_without_a_pipeline_gets_it_when_its_delivery_comes(queue: JobQueue) -> None:
    push(queue, "", "a")
    push(queue, "a", "c", pipeline="")

    group = push(queue, "b", "c")

    assert group == Group(id="g", sha="c", pipeline="pipeline-c", previous="pipeline-a")


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(order=st.lists(st.integers(0, 5), max_size=20))
def test_in_whatever_order_pushes_come_the_newest_never_goes_back(order: list[int]) -> None:
    """Each push names the head before it, so none can take over from a later one."""
    queue = DynamoQueue(memory_table(), default_limit=1)
    newest = -1
    for number in order:
        group = push(queue, f"{number - 1}" if number else "", f"{number}")
        newest = max(newest, int(group.sha)) if newest >= 0 else int(group.sha)
        assert int(group.sha) == newest
