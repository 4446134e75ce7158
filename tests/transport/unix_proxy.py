"""A Unix socket in front of another, that can be cut or fall silent, as a daemon can."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["UnixProxy", "unix_proxy"]

_PIECE = 64 * 1024


class UnixProxy:
    """Passes on what comes, both ways, until told otherwise."""

    def __init__(self, path: Path, behind: str) -> None:
        self.path = str(path)
        self._behind = behind
        self._talks = threading.Event()
        self._talks.set()
        self._open: list[socket.socket] = []
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(self.path)
        self._server.listen(100)
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, target: Callable[..., None], *given: socket.socket) -> None:
        thread = threading.Thread(target=target, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def fall_silent(self) -> None:
        """Pass nothing on any more; connections stay open."""
        self._talks.clear()

    def cut(self) -> None:
        """End all connections."""
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End it for good."""
        self._talks.set()
        self.cut()
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in (self._server, *self._open):
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                far.connect(self._behind)
                self._open += (near, far)
                self._start(self._pass_on, near, far)
                self._start(self._pass_on, far, near)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_PIECE):
                self._talks.wait()
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def unix_proxy(path: Path, behind: str) -> Iterator[UnixProxy]:
    """Listen on `path` until the end of the block."""
    proxy = UnixProxy(path, behind)
    try:
        yield proxy
    finally:
        proxy.close()
