import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from chalicelib.errors import HostUnreachableError
from chalicelib.fleet.lxd_api import LxdApi

_SERVER = {"api_version": "1.0", "auth": "trusted", "api_extensions": []}
_RUNNING = {"status_code": 103, "description": "Creating instance"}

Lxd = Callable[..., LxdApi]
"""The fixture `lxd`: returns an API whose operation is as said, at one request after another."""


@pytest.fixture
def lxd(tmp_path: Path) -> Iterator[Lxd]:
    """An LXD's socket, answered by hand: no real operation takes long, or is forgotten, on demand."""
    operations: list[dict[str, Any] | None] = []
    path = str(tmp_path / "lxd.socket")

    def answered(*given: dict[str, Any] | None) -> LxdApi:
        operations.extend(given)
        return LxdApi(path, host="host-1", project="berth")

    handler = _handler(lambda: operations.pop(0) if operations[1:] else operations[0])
    with socketserver.ThreadingUnixStreamServer(path, handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield answered
        server.shutdown()


def _handler(operation: Callable[[], dict[str, Any] | None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def address_string(self) -> str:
            return "a socket has none"

        def do_GET(self) -> None:
            now = operation() if self.path.startswith("/1.0/operations/one/wait") else _SERVER
            self._answer(404 if now is None else 200, {"type": "sync", "metadata": now})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(202, {"type": "async", "operation": "/1.0/operations/one"})

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


def test_an_lxd_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    """Whatever its client raises is caught: `tests/transport/test_lxd_errors.py` holds that list."""
    api = LxdApi(str(tmp_path / "none.socket"), host="host-1", project="berth")

    with pytest.raises(HostUnreachableError) as caught:
        api.get("instances")

    assert caught.value.host == "host-1"


def test_an_operation_is_asked_after_until_it_has_ended(lxd: Lxd) -> None:
    ended = {"status_code": 200, "metadata": {"return": 0}}

    operation = lxd(_RUNNING, _RUNNING, ended).post("instances", body={})

    assert operation == ended


def test_an_operation_that_failed_says_why(lxd: Lxd) -> None:
    api = lxd(_RUNNING, {"status_code": 400, "err": "no space left"})

    with pytest.raises(HostUnreachableError, match="no space left"):
        api.post("instances", body={})


def test_an_operation_that_lxd_forgot_is_not_waited_for(lxd: Lxd) -> None:
    with pytest.raises(HostUnreachableError, match="LXD forgot the operation"):
        lxd(None).post("instances", body={})


def test_an_operation_without_end_is_given_up(lxd: Lxd) -> None:
    with pytest.raises(HostUnreachableError, match="Creating instance takes over 0 s"):
        lxd(_RUNNING).post("instances", body={}, limit_s=0.1)
