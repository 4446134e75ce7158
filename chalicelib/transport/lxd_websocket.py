"""One stream of a command that LXD runs: a websocket of ws4py, which pylxd uses too.

The stream's reader calls `read` when its socket is readable, and nothing here waits for more than
the rest of a frame.
"""

import os
import socket
import ssl
from contextlib import suppress
from typing import Any

from ws4py.client import WebSocketBaseClient
from ws4py.framing import OPCODE_BINARY, OPCODE_TEXT, Frame

__all__ = ["Stream"]

_DISCARD_BYTES = 4096


class _Frame(Frame):  # type: ignore[misc]
    def mask(self, data: bytes) -> bytes:
        # ws4py's own goes byte by byte, 10 MB/s; big integers go at the speed of memory.
        size = len(data)
        pattern = (self.masking_key * (size // 4 + 1))[:size]
        mixed = int.from_bytes(data, "big") ^ int.from_bytes(pattern, "big")
        return mixed.to_bytes(size, "big")


class Stream(WebSocketBaseClient):  # type: ignore[misc]
    """A connected websocket.

    Attributes:
        ended: no more comes: LXD said so, or the connection is gone.
        unanswered: a ping was sent, and nothing has come since.
    """

    sock: Any
    scheme: str

    def __init__(self, client: Any, resource: str, *, answer_s: float) -> None:
        """Connect to a resource of the client's LXD, such as `/1.0/operations/…/websocket?secret=…`.

        Raises:
            OSError: LXD did not answer within `answer_s` seconds.
            HandshakeError: it refused.
        """
        # An Origin like `ws+unix://localhost` is refused by LXD.
        super().__init__(client.websocket_url, exclude_headers=["origin"])
        self.resource = resource
        self.ended = False
        self.unanswered = False
        self._arrived: list[bytes] = []
        self._socket: socket.socket = self.sock
        try:
            self.sock.settimeout(answer_s)
            self._secure(client)
            self.connect()
            self.sock.settimeout(None)
        except BaseException:
            self.drop()
            raise

    @property
    def secure(self) -> bool:
        """Whether it is TLS, which two threads cannot read and write at once."""
        return bool(self._is_secure)

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self._socket.fileno()

    def read(self) -> bytes:
        """Return what has come."""
        self.unanswered = False
        while not self.ended:
            self.ended = not self.once() or self.ended
            if not self.buf and not (self._is_secure and self.sock.pending()):
                break
        arrived = b"".join(self._arrived)
        self._arrived.clear()
        return arrived

    def discard(self) -> None:
        """Drop what has come on a stream that another thread writes: pings, which need no answer.

        LXD sends one every ten seconds, and could write no more once a few hundred lie unread.
        """
        with suppress(OSError):
            self.ended = not self._socket.recv(_DISCARD_BYTES) or self.ended

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._send(OPCODE_BINARY, data)

    def write_text(self, text: str) -> None:
        """Send a text message; the empty one is LXD's end of a stream."""
        self._send(OPCODE_TEXT, text.encode())

    def ask_for_life(self) -> None:
        """Send a ping. `unanswered` until something comes."""
        self.unanswered = True
        self.ping("")

    def drop(self) -> None:
        """End the connection without further words; who waits in it is freed. Safe to repeat."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def received_message(self, message: Any) -> None:
        """Called by ws4py, with a whole message."""
        if message.data:
            self._arrived.append(bytes(message.data))
        elif message.is_text:
            self.ended = True

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Called by ws4py at LXD's closing frame: no answer is needed, `drop` follows."""
        del code, reason

    def unhandled_error(self, error: Exception) -> None:
        """Called by ws4py when the connection broke; its own writes a traceback into the log."""
        del error

    def _send(self, opcode: int, data: bytes) -> None:
        frame = _Frame(opcode=opcode, body=data, masking_key=os.urandom(4), fin=1)
        self._socket.sendall(frame.build())

    def _write(self, data: bytes) -> None:
        """Called by ws4py, for handshakes, pings and pongs.

        A peer that is gone is seen by reading: it may have left output behind its last ping.
        """
        with suppress(OSError):
            self._socket.sendall(data)

    def _secure(self, client: Any) -> None:
        """Make it TLS if the client's API is. ws4py's own way verifies nobody."""
        if self.scheme != "wss":
            return
        verify = client.api.session.verify
        context = ssl.create_default_context()
        if isinstance(verify, str):  # the certificate that LXD is known by, as pylxd takes it
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            context.load_verify_locations(verify)
        elif not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if client.cert is not None:
            context.load_cert_chain(*client.cert)
        # Before it is connected; ws4py's `connect` then does the handshake with it.
        self._socket = self.sock = context.wrap_socket(self.sock, server_hostname=self.host)
        self._is_secure = True
        self.scheme = "ws"
