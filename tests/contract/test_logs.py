"""One suite for every log store: the memory fake must answer like the driver."""

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path

import boto3
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.clock import ManualClock, SystemClock
from chalicelib.errors import PayloadError
from chalicelib.local.emulator import account_environment
from chalicelib.logs import LogStore, read_window
from chalicelib.logs.dynamodb import DynamoLogs
from chalicelib.logs.memory import MemoryLogs
from chalicelib.logs.memory_aws import MemoryS3, memory_session
from chalicelib.model import Outcome, OutputChunk, Result, StepRecord, StepState
from chalicelib.queue.memory import MemoryDynamo

MakeStore = Callable[[int], LogStore]
DATA_STACK = Path(__file__).parents[2] / "cloudformation" / "data.yaml"
PAGE_BYTES = 1 << 20

_jobs = count()


@pytest.fixture(scope="module")
def make_dynamo_store(emulator_url: str) -> Iterator[MakeStore]:
    """Return a function that makes drivers of one table and bucket, in an account of this module."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in account_environment(emulator_url, account="200000000001").items():
            patch.setenv(name, value)
        session = boto3.Session()
        table = yaml.safe_load(DATA_STACK.read_text())["Resources"]["QueueTable"]["Properties"]
        wanted = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
        session.client("dynamodb").create_table(
            TableName="berth", **{key: table[key] for key in wanted}
        )
        session.client("s3").create_bucket(Bucket="berth-contract-logs")
        clock = ManualClock(start=SystemClock().now())
        yield lambda page_bytes: DynamoLogs(
            "berth", "berth-contract-logs", clock=clock, page_bytes=page_bytes, session=session
        )


@pytest.fixture(params=["memory", "dynamodb in memory", "dynamodb"])
def make_store(request: pytest.FixtureRequest) -> MakeStore:
    """Return a function from page size to store."""
    if request.param == "memory":
        return lambda page_bytes: MemoryLogs(page_bytes=page_bytes)
    if request.param == "dynamodb in memory":
        session = memory_session(MemoryDynamo().call, MemoryS3().call)
        return lambda page_bytes: DynamoLogs(
            "memory", "memory", clock=SystemClock(), page_bytes=page_bytes, session=session
        )
    made: MakeStore = request.getfixturevalue("make_dynamo_store")
    return made


@pytest.fixture
def job() -> str:
    """Return a job that no other test knows."""
    return f"job{next(_jobs)}"


@pytest.fixture
def store(make_store: MakeStore) -> LogStore:
    """Return a store with pages of the usual size."""
    return make_store(PAGE_BYTES)


def record(index: int, state: StepState = StepState.RUNNING) -> StepRecord:
    """Return the record of a step that has started, and ended if the state says so."""
    over = state is not StepState.RUNNING
    return StepRecord(
        index=index,
        name=f"step {index}",
        state=state,
        exit_status=0 if over else None,
        started_at_ms=1_000 * index,
        ended_at_ms=1_000 * index + 500 if over else None,
    )


def chunk(step: int, offset: int, data: bytes) -> OutputChunk:
    return OutputChunk(step=step, offset=offset, data=data)


def read_all(
    store: LogStore, job: str, *, cursor: str = "", step: int | None = None
) -> tuple[Mapping[int, bytes], str]:
    """Follow the log to its end; return each step's bytes and the cursor there."""
    output: dict[int, bytes] = {}
    while True:
        page = store.read_log(job, 1, cursor=cursor, step=step)
        for part in page.chunks:
            output[part.step] = output.get(part.step, b"") + part.data
        cursor = page.cursor
        if not page.more:
            return output, cursor


def test_what_was_appended_is_read_back(store: LogStore, job: str) -> None:
    store.append(job, 1, steps=[record(0)], output=[chunk(0, 0, b"one "), chunk(0, 4, b"two")])

    output, _ = read_all(store, job)

    assert output == {0: b"one two"}


def test_nothing_is_known_of_an_attempt_before_its_first_report(store: LogStore, job: str) -> None:
    page = store.read_log(job, 1)

    assert page.chunks == ()
    assert not page.more
    assert store.steps(job, 1) == ()
    assert store.get_result(job, 1) is None


def test_attempts_of_one_job_are_kept_apart(store: LogStore, job: str) -> None:
    store.append(job, 1, steps=[], output=[chunk(0, 0, b"lost")])

    store.append(job, 2, steps=[], output=[chunk(0, 0, b"kept")])

    assert store.read_log(job, 1).chunks[0].data == b"lost"
    assert store.read_log(job, 2).chunks[0].data == b"kept"


def test_a_reader_with_nothing_new_gets_its_cursor_back(store: LogStore, job: str) -> None:
    store.append(job, 1, steps=[record(0)], output=[chunk(0, 0, b"so far")])
    _, cursor = read_all(store, job)

    page = store.read_log(job, 1, cursor=cursor)

    assert page.chunks == ()
    assert page.cursor == cursor


def test_a_reader_waits_for_a_chunk_that_is_missing_in_the_middle(
    store: LogStore, job: str
) -> None:
    store.append(job, 1, steps=[record(0)], output=[chunk(0, 0, b"a"), chunk(0, 2, b"c")])
    before, cursor = read_all(store, job)

    store.append(job, 1, steps=[], output=[chunk(0, 1, b"b")])

    after, _ = read_all(store, job, cursor=cursor)
    assert (before, after) == ({0: b"a"}, {0: b"bc"})


def test_a_reader_stays_in_a_step_until_its_record_says_it_is_over(
    store: LogStore, job: str
) -> None:
    store.append(job, 1, steps=[record(0)], output=[chunk(0, 0, b"a"), chunk(1, 0, b"next")])
    before, cursor = read_all(store, job)

    store.append(job, 1, steps=[record(0, StepState.SUCCEEDED)], output=[chunk(0, 1, b"b")])

    after, _ = read_all(store, job, cursor=cursor)
    assert (before, after) == ({0: b"a"}, {0: b"b", 1: b"next"})


def test_a_step_without_output_or_record_does_not_hold_up_the_reader(
    store: LogStore, job: str
) -> None:
    store.append(job, 1, steps=[record(0, StepState.SUCCEEDED)], output=[chunk(0, 0, b"a")])

    store.append(job, 1, steps=[record(3)], output=[chunk(3, 0, b"d")])

    assert read_all(store, job)[0] == {0: b"a", 3: b"d"}


def test_the_first_write_of_a_chunk_wins(store: LogStore, job: str) -> None:
    store.append(job, 1, steps=[], output=[chunk(0, 0, b"first")])

    store.append(job, 1, steps=[], output=[chunk(0, 0, b"other")])

    assert read_all(store, job)[0] == {0: b"first"}


def test_a_late_running_record_does_not_replace_an_end(store: LogStore, job: str) -> None:
    store.append(job, 1, steps=[record(0, StepState.FAILED)], output=[])

    store.append(job, 1, steps=[record(0, StepState.RUNNING), record(1)], output=[])

    assert store.steps(job, 1) == (record(0, StepState.FAILED), record(1))


def test_one_step_can_be_read_alone(store: LogStore, job: str) -> None:
    steps = [record(0, StepState.SUCCEEDED), record(1)]
    store.append(job, 1, steps=steps, output=[chunk(0, 0, b"a"), chunk(1, 0, b"b")])

    output, cursor = read_all(store, job, step=1)

    assert output == {1: b"b"}
    assert store.read_log(job, 1, cursor=cursor, step=1).chunks == ()


@pytest.mark.parametrize(
    "cursor",
    ["x", "1", "1-", "-1-1", "1--1", "1-1\n", "9999-1", "1-" + "9" * 40, "\u0661-\u0661", "1-1-1"],
)
def test_a_malformed_cursor_is_refused(store: LogStore, job: str, cursor: str) -> None:
    with pytest.raises(PayloadError):
        store.read_log(job, 1, cursor=cursor)


def test_a_cursor_of_another_step_is_refused(store: LogStore, job: str) -> None:
    store.append(job, 1, steps=[record(0)], output=[chunk(0, 0, b"a")])
    _, cursor = read_all(store, job)

    with pytest.raises(PayloadError):
        store.read_log(job, 1, cursor=cursor, step=1)


def test_a_page_holds_about_a_mebibyte(store: LogStore, job: str) -> None:
    block = bytes(range(256)) * 1024
    store.append(job, 1, steps=[], output=[chunk(0, n * len(block), block) for n in range(6)])

    page = store.read_log(job, 1)

    assert sum(len(part.data) for part in page.chunks) == PAGE_BYTES
    assert page.more
    assert read_all(store, job)[0] == {0: block * 6}


def test_a_sealed_log_reads_like_an_open_one(store: LogStore, job: str) -> None:
    steps = [record(0, StepState.SUCCEEDED), record(1, StepState.FAILED)]
    store.append(job, 1, steps=steps, output=[chunk(0, 0, b"ab"), chunk(1, 0, b"\xff\x00")])
    open_output, cursor = read_all(store, job)

    store.seal(job, 1)
    store.seal(job, 1)

    assert read_all(store, job)[0] == open_output == {0: b"ab", 1: b"\xff\x00"}
    assert store.read_log(job, 1, cursor=cursor).chunks == ()
    assert store.steps(job, 1) == tuple(steps)


def test_what_comes_after_a_part_that_was_lost_for_ever_is_kept(store: LogStore, job: str) -> None:
    store.append(job, 1, steps=[record(0)], output=[chunk(0, 0, b"a"), chunk(0, 9, b"z")])

    store.seal(job, 1)

    assert [(part.offset, part.data) for part in store.read_log(job, 1).chunks] == [
        (0, b"a"),
        (9, b"z"),
    ]


def test_a_tail_is_the_end_of_one_step(store: LogStore, job: str) -> None:
    chunks = [chunk(0, n * 10, b"%09d\n" % n) for n in range(50)]
    store.append(job, 1, steps=[record(0)], output=chunks)

    page = store.tail(job, 1, step=0, max_bytes=25)

    assert b"".join(part.data for part in page.chunks) == b"000000047\n000000048\n000000049\n"
    assert store.read_log(job, 1, cursor=page.cursor).chunks == ()


def test_a_tail_is_empty_where_nothing_was_printed(store: LogStore, job: str) -> None:
    page = store.tail(job, 1, step=2)

    assert page.chunks == ()
    assert store.read_log(job, 1, cursor=page.cursor, step=2).chunks == ()


def test_the_first_result_stays(store: LogStore, job: str) -> None:
    first = Result(outcome=Outcome.FAILED, reason="exit status 1", steps=(record(0),))
    other = Result(outcome=Outcome.SUCCEEDED, reason="", steps=())

    answers = [store.put_result(job, 1, first), store.put_result(job, 1, other)]

    assert answers == [first, first]
    assert store.get_result(job, 1) == first
    assert store.get_result(job, 2) is None


def test_a_window_goes_on_where_it_ends(store: LogStore, job: str) -> None:
    steps = [record(0, StepState.SUCCEEDED), record(1)]
    store.append(job, 1, steps=steps, output=[chunk(0, 0, b"a"), chunk(1, 0, b"b")])

    window = read_window(store, job, 1)

    store.append(job, 1, steps=[], output=[chunk(1, 1, b"c")])
    assert [part.data for part in window.output] == [b"a", b"b"]
    assert window.steps == tuple(steps)
    assert read_all(store, job, cursor=window.cursor)[0] == {1: b"c"}


def test_a_window_shows_what_went_wrong_when_it_cannot_show_all(store: LogStore, job: str) -> None:
    steps = [record(n, StepState.FAILED if n == 1 else StepState.SUCCEEDED) for n in range(4)]
    store.append(job, 1, steps=steps, output=[chunk(n, 0, b"%d" % n * 9) for n in range(4)])

    window = read_window(store, job, 1, max_bytes=9)

    assert [part.data for part in window.output] == [b"1" * 9]


# A sender: steps one after the other, each a list of chunks; a report carries some of them and the
# records that are true by then.
STEP_OUTPUT = st.lists(st.binary(min_size=1, max_size=40), max_size=5)
LOGS = st.lists(STEP_OUTPUT, min_size=1, max_size=4)
SLOW = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def cut(log: list[list[bytes]]) -> list[OutputChunk]:
    chunks = []
    for step, parts in enumerate(log):
        offset = 0
        for data in parts:
            chunks.append(chunk(step, offset, data))
            offset += len(data)
    return chunks


@pytest.mark.timeout(120)
@SLOW
@given(data=st.data(), log=LOGS, page_bytes=st.integers(1, 100))
def test_any_split_in_any_order_sealed_at_any_point_reads_back(
    make_store: MakeStore, data: st.DataObject, log: list[list[bytes]], page_bytes: int
) -> None:
    store, job, chunks = make_store(page_bytes), f"job{next(_jobs)}", cut(log)
    shuffled = data.draw(st.permutations(chunks)) + data.draw(
        st.lists(st.sampled_from(chunks), max_size=4) if chunks else st.just([])
    )
    sealed_before = data.draw(st.integers(0, len(shuffled)) | st.none())

    for n, part in enumerate(shuffled):
        if n == sealed_before:
            store.seal(job, 1)
        store.append(job, 1, steps=[], output=[part])
    if sealed_before == len(shuffled):
        store.seal(job, 1)
    ended = [record(step, StepState.SUCCEEDED) for step in range(len(log))]
    store.append(job, 1, steps=ended, output=[])

    expected = {step: b"".join(parts) for step, parts in enumerate(log) if parts}
    assert read_all(store, job)[0] == expected


@pytest.mark.timeout(120)
@SLOW
@given(data=st.data(), log=LOGS, page_bytes=st.integers(1, 100))
def test_a_live_follower_misses_nothing(
    make_store: MakeStore, data: st.DataObject, log: list[list[bytes]], page_bytes: int
) -> None:
    """Reports come one after another, but the writes of one land in any order, some of them twice."""
    store, job = make_store(page_bytes), f"job{next(_jobs)}"
    followed: dict[int, bytes] = {}
    cursor = ""

    def follow() -> None:
        nonlocal cursor
        output, cursor = read_all(store, job, cursor=cursor)
        for step, new in output.items():
            followed[step] = followed.get(step, b"") + new

    for report in _reports(data.draw, log):
        for part in data.draw(st.permutations(report.chunks * 2)):
            store.append(job, 1, steps=[], output=[part])
            if data.draw(st.booleans()):
                follow()
        store.append(job, 1, steps=report.steps, output=[])
        follow()
    store.seal(job, 1)
    follow()

    assert followed == {step: b"".join(parts) for step, parts in enumerate(log) if parts}


class _Report:
    def __init__(self, chunks: list[OutputChunk], steps: list[StepRecord]) -> None:
        self.chunks, self.steps = chunks, steps


def _reports(
    draw: Callable[[st.SearchStrategy[int]], int], log: list[list[bytes]]
) -> list[_Report]:
    """Cut the chunks into reports; each carries the records that hold once its chunks are sent."""
    chunks, reports, sent = cut(log), list[_Report](), 0
    while sent < len(chunks):
        upto = draw(st.integers(sent + 1, len(chunks)))
        step = chunks[upto - 1].step
        ended = [record(n, StepState.SUCCEEDED) for n in range(step)]
        reports.append(_Report(chunks[sent:upto], [*ended, record(step)]))
        sent = upto
    return reports
