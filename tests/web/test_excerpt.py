from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model import Job, JobState, OutputChunk, StepRecord, StepState
from chalicelib.web import JobView
from chalicelib.web.excerpt import STEP_BYTES, STEP_LINES, Excerpt, excerpts

JOB = Job(id="j", name="test", pipeline="p", tenant="7", state=JobState.RUNNING, fence=1)


def view(*chunks: OutputChunk, steps: tuple[StepRecord, ...] = ()) -> JobView:
    return JobView(job=JOB, output=chunks, steps=steps)


def chunk(data: bytes, *, step: int = 0, offset: int = 0) -> OutputChunk:
    return OutputChunk(step=step, offset=offset, data=data)


def test_short_output_is_shown_whole() -> None:
    shown = excerpts([view(chunk(b"a\n"), chunk(b"b", offset=2))], continues=False)

    assert shown == {("j", 0): Excerpt(b"a\nb", 0)}


def test_a_page_says_how_much_the_store_left_out_before() -> None:
    shown = excerpts([view(chunk(b"end", offset=500))], continues=False)

    assert shown["j", 0].left_out == 500


def test_an_update_does_not_call_what_the_reader_has_seen_left_out() -> None:
    shown = excerpts([view(chunk(b"end", offset=500))], continues=True)

    assert shown["j", 0].left_out == 0


def test_only_the_last_lines_are_shown() -> None:
    lines = [b"line %d\n" % number for number in range(STEP_LINES + 500)]

    shown = excerpts([view(chunk(b"".join(lines)))], continues=False)["j", 0]

    assert shown.data == b"".join(lines[500:])
    assert shown.left_out == len(b"".join(lines[:500]))


def test_one_endless_line_is_cut_by_size() -> None:
    shown = excerpts([view(chunk(b"x" * (STEP_BYTES + 10)))], continues=False)["j", 0]

    assert len(shown.data) == STEP_BYTES
    assert shown.left_out == 10


def test_what_went_wrong_gets_its_share_first() -> None:
    def record(index: int, state: StepState) -> StepRecord:
        return StepRecord(index=index, name="s", state=state)

    steps = (record(0, StepState.SUCCEEDED), record(1, StepState.FAILED))
    output = (chunk(b"good\n" * 20), chunk(b"bad\n" * 20, step=1))

    shown = excerpts([view(*output, steps=steps)], continues=False, budget=80)

    assert shown["j", 1] == Excerpt(b"bad\n" * 20, 0)
    assert shown["j", 0] == Excerpt(b"", 100)


def test_a_hole_in_a_sealed_log_is_named() -> None:
    shown = excerpts([view(chunk(b"a"), chunk(b"z", offset=100))], continues=False)

    assert shown["j", 0].data == b"a\n[berth: 99 bytes of output were lost here]\nz"


@given(
    data=st.lists(st.sampled_from([b"\n", b"ab", b"x" * 50]), max_size=60).map(b"".join),
    budget=st.integers(0, 200),
)
def test_an_excerpt_is_the_end_of_the_output_within_its_budget(data: bytes, budget: int) -> None:
    output = view(chunk(data)) if data else replace(view())

    shown = excerpts([output], continues=False, budget=budget).get(("j", 0), Excerpt(b""))

    assert len(shown.data) <= budget
    assert data.endswith(shown.data)
    assert shown.left_out + len(shown.data) == len(data)
