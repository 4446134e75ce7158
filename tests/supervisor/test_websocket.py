import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ws4py.framing import Frame as ReferenceFrame

from chalicelib.supervisor.faults import InfrastructureError
from chalicelib.supervisor.websocket import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Frame,
    FrameReader,
    WebSocket,
    encode,
)

_PAYLOADS = st.one_of(
    st.binary(max_size=200), st.sampled_from([bytes(125), bytes(126), bytes(65_535), bytes(65_536)])
)
_MASKS = st.none() | st.binary(min_size=4, max_size=4)


@given(
    frames=st.lists(st.tuples(st.sampled_from([TEXT, BINARY, PING]), _PAYLOADS, _MASKS)),
    data=st.data(),
)
def test_frames_survive_any_cutting_of_the_stream(
    frames: list[tuple[int, bytes, bytes | None]], data: st.DataObject
) -> None:
    stream = b"".join(encode(opcode, payload, mask=mask) for opcode, payload, mask in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader = FrameReader()

    read = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        read += list(reader.feed(stream[start:end]))

    assert [(frame.opcode, frame.payload) for frame in read] == [
        (opcode, payload) for opcode, payload, _ in frames
    ]


@given(payload=_PAYLOADS, mask=_MASKS)
def test_frames_are_those_of_another_implementation(payload: bytes, mask: bytes | None) -> None:
    reference = ReferenceFrame(opcode=BINARY, body=payload, fin=1, masking_key=mask).build()

    assert encode(BINARY, payload, mask=mask) == reference


def test_fragments_carry_the_opcode_of_their_message_past_a_ping() -> None:
    stream = (
        encode(TEXT, b"a", final=False) + encode(PING, b"?") + encode(0, b"b") + encode(BINARY, b"")
    )

    read = list(FrameReader().feed(stream))

    assert read == [
        Frame(TEXT, b"a", final=False),
        Frame(PING, b"?"),
        Frame(TEXT, b"b"),
        Frame(BINARY, b""),
    ]


@pytest.mark.parametrize(
    "head",
    [bytes([0x82, 127]) + struct.pack("!Q", 1 << 40), bytes([0xC2, 0])],
    ids=["huge", "extension"],
)
def test_what_breaks_the_protocol_is_refused(head: bytes) -> None:
    with pytest.raises(InfrastructureError):
        list(FrameReader().feed(head))


@given(data=st.binary(max_size=400))
def test_no_bytes_raise_anything_but_our_error(data: bytes) -> None:
    try:
        frames = list(FrameReader().feed(data))
    except InfrastructureError:
        return

    assert sum(len(frame.payload) for frame in frames) <= len(data)


def test_a_ping_is_answered_and_a_close_ends_it() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stream = WebSocket(ours)
        theirs.sendall(encode(PING, b"alive?") + encode(BINARY, b"data") + encode(CLOSE, b""))

        frames = stream.receive()

        assert [frame.payload for frame in frames] == [b"data"]
        assert stream.closed
        answers = list(FrameReader().feed(theirs.recv(1000)))
        assert answers == [Frame(PONG, b"alive?"), Frame(CLOSE, b"")]


def test_a_refused_handshake_is_infrastructure() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

        with pytest.raises(InfrastructureError, match="403"):
            WebSocket.connect(ours, "/1.0/operations/x/websocket?secret=s")
