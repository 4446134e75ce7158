"""The front door passes requests on as they are, and says in a sentence what is amiss."""

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from chalicelib.local.edge import MAX_BODY_BYTES, Route, write_route
from chalicelib.local.ports import free_port

if TYPE_CHECKING:
    from tests.local.conftest import Doors


class _Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked, and two cookies."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = {
            "path": self.path,
            "body": body.hex()[:40],
            "length": len(body),
            "headers": {name.lower(): value for name, value in self.headers.items()},
        }
        answer = json.dumps(seen).encode()
        self.send_response(201)
        self.send_header("Set-Cookie", "a=1; Path=/")
        self.send_header("Set-Cookie", "b=2; Path=/")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def echo() -> Iterator[str]:
    """An upstream that tells what reached it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _send(
    port: int, method: str, path: str, *, body: bytes | None = None, headers: dict[str, str]
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


def _to(doors: "Doors", upstream: str) -> None:
    write_route(doors.route, Route(emulator=upstream, api="abc", stage="api"))


def test_a_request_arrives_as_it_was_sent(doors: "Doors", echo: str) -> None:
    _to(doors, echo)
    path = "/jobs/a%2Fb/log?cursor=x%3D&tag=1&tag=2"

    headers = {"Content-Type": "application/octet-stream", "X-Odd": "ü".encode().decode("latin-1")}
    _, content = _send(doors.port, "POST", path, body=b"\x00\xff", headers=headers)

    seen = json.loads(content)
    assert seen["path"] == f"/_aws/execute-api/abc/api{path}"
    assert seen["body"] == "00ff"
    assert seen["headers"]["content-type"] == "application/octet-stream"
    assert seen["headers"]["x-forwarded-host"] == f"127.0.0.1:{doors.port}"


def test_an_answer_comes_back_as_it_was_given(doors: "Doors", echo: str) -> None:
    _to(doors, echo)

    answer, _ = _send(doors.port, "GET", "/", headers={})

    assert answer.status == 201
    assert answer.headers.get_all("Set-Cookie") == ["a=1; Path=/", "b=2; Path=/"]


def test_a_new_deployment_is_followed_at_once(doors: "Doors", echo: str) -> None:
    write_route(
        doors.route, Route(emulator=f"http://127.0.0.1:{free_port()}", api="old", stage="api")
    )
    before, _ = _send(doors.port, "GET", "/", headers={})

    _to(doors, echo)
    after, content = _send(doors.port, "GET", "/", headers={})

    assert (before.status, after.status) == (503, 201)
    assert "/abc/api/" in json.loads(content)["path"]


def test_the_platforms_limit_is_kept(doors: "Doors", echo: str) -> None:
    _to(doors, echo)

    fits, content = _send(doors.port, "POST", "/", body=bytes(MAX_BODY_BYTES), headers={})
    exceeds, _ = _send(doors.port, "POST", "/", body=bytes(MAX_BODY_BYTES + 1), headers={})

    assert (fits.status, json.loads(content)["length"]) == (201, MAX_BODY_BYTES)
    assert exceeds.status == 413


def test_a_body_of_unsaid_length_is_limited_too(doors: "Doors", echo: str) -> None:
    _to(doors, echo)
    connection = http.client.HTTPConnection("127.0.0.1", doors.port, timeout=10)

    pieces = (bytes(1 << 20) for _ in range(7))
    connection.request(
        "POST", "/", body=pieces, encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
    )
    status = connection.getresponse().status
    connection.close()

    assert status == 413


@pytest.mark.parametrize("deployed", [False, True], ids=["nothing deployed", "emulator away"])
def test_what_is_away_is_said_in_a_sentence(doors: "Doors", *, deployed: bool) -> None:
    if deployed:
        _to(doors, f"http://127.0.0.1:{free_port()}")

    answer, content = _send(doors.port, "GET", "/health", headers={})

    assert answer.status == 503
    assert "./berth up" in json.loads(content)["error"]
