import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import PayloadError
from chalicelib.model import Job, JobState
from chalicelib.web.cursor import Follow, LiveCursor, OutputState, render_bytes

JOB = Job(id="j", name="test", pipeline="p", tenant="7", state=JobState.RUNNING, fence=2)


def packed(text: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(text)).decode().rstrip("=")


@given(data=st.binary(max_size=300), style=st.sampled_from([b"", b"\x1b[1;38;5;9m", b"\x1b[7m\n"]))
def test_a_cursor_survives_its_way_through_the_page(data: bytes, style: bytes) -> None:
    _, state = render_bytes(style + data, OutputState())
    cursor = LiveCursor({"j": Follow(fence=2, log="1-300", step=1, state=state)})

    assert LiveCursor.parse(cursor.encode()) == cursor


def test_a_cursor_needs_no_quoting_in_a_url() -> None:
    _, state = render_bytes("ünfinished \x1b[31mlíne".encode(), OutputState())

    text = LiveCursor({"j": Follow(fence=1, log="0-1", state=state)}).encode()

    assert text.replace("-", "").replace("_", "").isalnum()


def test_no_cursor_knows_no_job() -> None:
    assert LiveCursor.parse("").log_cursor(JOB) is None


def test_another_attempt_is_read_from_its_start() -> None:
    cursor = LiveCursor({"j": Follow(fence=1, log="0-5")})

    assert cursor.log_cursor(JOB) is None
    assert LiveCursor({"j": Follow(fence=2, log="0-5")}).log_cursor(JOB) == "0-5"


@pytest.mark.parametrize(
    "text",
    [
        "!",
        "abc",
        "é",
        "A" * 20_000,
        packed(b"[1"),
        packed(b"[2,[]]"),
        packed(b"7"),
        packed(b'{"a":1}'),
        packed(b"[1,7]"),
        packed(b"[1,[7]]"),
        packed(b"[1,[[[],1,2,3,4,5,6]]]"),
        packed(b'[1,[["j",Infinity,"",0,"","",""]]]'),
        packed(b'[1,[["j",1,"",0,"","","zz"]]]'),
        packed(b"[" * 100_000),
        packed(b"0" * 2_000_000),
    ],
    ids=lambda text: f"{text[:8]}-{len(text)}-{zlib.crc32(text.encode())}",
)
def test_a_forged_cursor_is_refused(text: str) -> None:
    with pytest.raises(PayloadError):
        LiveCursor.parse(text)


@given(text=st.text() | st.binary(max_size=60).map(packed))
def test_a_cursor_is_read_or_refused(text: str) -> None:
    try:
        parsed = LiveCursor.parse(text)
    except PayloadError:
        return

    assert isinstance(parsed, LiveCursor)


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    markup, state = render_bytes(b"a\xff\xfeb\n\xe2\x82", OutputState())
    rest, _ = render_bytes(b"\xac\n", state)

    assert str(markup) + str(rest) == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b\n€\n"
