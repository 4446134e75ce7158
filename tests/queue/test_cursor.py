import base64
import contextlib

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import PayloadError
from chalicelib.queue.cursor import decode_cursor, encode_cursor
from chalicelib.queue.stamp import sort_key


@given(stamp=st.integers(0, 10**15 - 1), name=st.from_regex(r"\A[a-z2-7]{16}\Z"))
def test_a_cursor_leads_back_to_its_position(stamp: int, name: str) -> None:
    position = sort_key(stamp, name)

    assert decode_cursor(encode_cursor(position)) == position


@given(text=st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_other_text_raises_a_payload_error_or_nothing(text: str) -> None:
    with contextlib.suppress(PayloadError):
        decode_cursor(text)
