"""A minimal RFC 6455 client: what LXD's exec needs and nothing else.

`FrameReader` is pure: bytes in, frames out, in any pieces. Payloads of data frames are handed on
frame by frame, since LXD streams bytes and its message borders mean nothing; only the empty text
message matters, which is LXD's "end of stream" (`WebsocketSendStream` in LXD's source).
"""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.supervisor.faults import InfrastructureError

__all__ = ["BINARY", "CLOSE", "PING", "PONG", "TEXT", "Frame", "FrameReader", "WebSocket", "encode"]

CONTINUATION = 0x0
TEXT = 0x1
BINARY = 0x2
CLOSE = 0x8
PING = 0x9
PONG = 0xA

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_MAX_FRAME_BYTES = 64 << 20
_MAX_HEAD_BYTES = 64 << 10
_RECEIVE_BYTES = 256 << 10
_SHORT, _MEDIUM, _LONG = 125, 126, 127
_SWITCHING = b" 101 "


@dataclass(frozen=True)
class Frame:
    """One frame; a continuation carries the opcode of the message it continues."""

    opcode: int
    payload: bytes
    final: bool = True


def encode(opcode: int, payload: bytes, *, final: bool = True, mask: bytes | None = None) -> bytes:
    """Return a frame on the wire. A client must give a 4-byte mask (RFC 6455, section 5.3)."""
    head = bytes([(0x80 if final else 0) | opcode])
    masked = 0x80 if mask is not None else 0
    size = len(payload)
    if size <= _SHORT:
        head += bytes([masked | size])
    elif size < 1 << 16:
        head += bytes([masked | _MEDIUM]) + struct.pack("!H", size)
    else:
        head += bytes([masked | _LONG]) + struct.pack("!Q", size)
    return head + payload if mask is None else head + mask + _apply_mask(payload, mask)


def _apply_mask(payload: bytes, mask: bytes) -> bytes:
    # XOR of two big integers runs at memory speed; a loop over bytes does not.
    size = len(payload)
    pattern = (mask * (size // 4 + 1))[:size]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")
    return mixed.to_bytes(size, "big")


class FrameReader:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._message = BINARY

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are complete with these bytes.

        Raises:
            InfrastructureError: the stream breaks the protocol or a frame is larger than 64 MiB.
        """
        self._buffer += data
        while True:
            frame = self._take()
            if frame is None:
                return
            yield frame

    def _take(self) -> Frame | None:
        head = self._head()
        if head is None:
            return None
        first, masked, start, size = head
        end = start + (4 if masked else 0) + size
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[end - size : end])
        if masked:
            body = _apply_mask(body, bytes(self._buffer[start : start + 4]))
        del self._buffer[:end]
        return Frame(self._opcode(first), body, final=bool(first & 0x80))

    def _head(self) -> tuple[int, bool, int, int] | None:
        """Return (first byte, masked, offset after the length, length), or None when incomplete."""
        buffer = self._buffer
        if len(buffer) < 2:  # noqa: PLR2004 - the two bytes every frame starts with
            return None
        size, start = buffer[1] & 0x7F, 2
        wide = {_MEDIUM: "!H", _LONG: "!Q"}.get(size)
        if wide is not None:
            start += struct.calcsize(wide)
            if len(buffer) < start:
                return None
            (size,) = struct.unpack_from(wide, buffer, 2)
        if size > _MAX_FRAME_BYTES or buffer[0] & 0x70:
            msg = "LXD sent a websocket frame that is too large or uses an extension"
            raise InfrastructureError(msg)
        return buffer[0], bool(buffer[1] & 0x80), start, size

    def _opcode(self, first: int) -> int:
        opcode = first & 0x0F
        if opcode == CONTINUATION:
            return self._message
        if opcode in (TEXT, BINARY):
            self._message = opcode
        return opcode


class WebSocket:
    """One connected websocket. Answers pings and closes by itself.

    Attributes:
        sock: for `select`; read through `receive` only.
        closed: whether the peer has closed, or the connection is gone.
    """

    def __init__(self, sock: socket.socket, early: bytes = b"") -> None:
        self.sock = sock
        self.closed = False
        self._reader = FrameReader()
        self._early = early

    @classmethod
    def connect(cls, sock: socket.socket, path: str) -> WebSocket:
        """Return the websocket after the opening handshake on a connected socket.

        Raises:
            InfrastructureError: the peer did not switch protocols.
            OSError: the connection broke.
        """
        key = base64.b64encode(os.urandom(16))
        request = (
            f"GET {path} HTTP/1.1\r\nHost: lxd\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key.decode()}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        sock.sendall(request.encode())
        head, early = _read_head(sock)
        accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
        if _SWITCHING not in head.split(b"\r\n", 1)[0] or accept not in head:
            msg = f"LXD refused a websocket: {head[:200].decode('latin-1')!r}"
            raise InfrastructureError(msg)
        return cls(sock, early)

    def send(self, opcode: int, payload: bytes = b"") -> None:
        """Send one frame; a connection that is gone only marks the socket closed."""
        try:
            self.sock.sendall(encode(opcode, payload, mask=os.urandom(4)))
        except OSError:
            self.closed = True

    @property
    def has_early(self) -> bool:
        """Whether bytes came with the handshake, which `select` cannot see."""
        return bool(self._early)

    def receive(self) -> list[Frame]:
        """Return the data frames of one read; blocks when nothing is there. Sets `closed` at the end."""
        data, self._early = self._early, b""
        if not data:
            data = self._read()
        frames = []
        for frame in self._reader.feed(data):
            if frame.opcode in (TEXT, BINARY):
                frames.append(frame)
            else:
                self._control(frame)
        return frames

    def _read(self) -> bytes:
        try:
            data = self.sock.recv(_RECEIVE_BYTES)
        except OSError:
            data = b""
        if not data:
            self.closed = True
        return data

    def _control(self, frame: Frame) -> None:
        if frame.opcode == PING:
            self.send(PONG, frame.payload)
        elif frame.opcode == CLOSE:
            self.send(CLOSE, frame.payload)
            self.closed = True

    def shut(self) -> None:
        """Close the connection without further words. Safe to repeat."""
        self.closed = True
        self.sock.close()


def _read_head(sock: socket.socket) -> tuple[bytes, bytes]:
    head = b""
    while b"\r\n\r\n" not in head:
        data = sock.recv(4096)
        if not data or len(head) > _MAX_HEAD_BYTES:
            msg = "LXD closed the connection in the websocket handshake"
            raise InfrastructureError(msg)
        head += data
    before, _, after = head.partition(b"\r\n\r\n")
    return before, after
