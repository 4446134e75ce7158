"""The other end of the callbacks: a real HTTP server that checks every message with the model's parsers."""

import json
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from chalicelib.errors import PayloadError
from chalicelib.model import Report, Result, StepRecord, parse_report, parse_result

Trouble = Callable[[int, bytes], int]
"""From a request's running number and body to a status; 0 means: take it, then drop the answer."""


class ControlPlane:
    """Stores what an attempt says, as the log store would.

    Attributes:
        trouble: decides each request's answer; None answers 200.
        away: while set, connections are closed without an answer.
        cancelling: answered to every report.
        events: shared with others, to see orders.
    """

    def __init__(self, ticket: str) -> None:
        self.ticket = ticket
        self.trouble: Trouble | None = None
        self.away = threading.Event()
        self.cancelling = False
        self.events: list[str] = []
        self.reports: list[Report] = []
        self.requests = 0
        self.result: Result | None = None
        self.steps: dict[int, StepRecord] = {}
        self.chunks: dict[tuple[int, int], bytes] = {}
        self.faults: list[str] = []
        self.changed = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.plane = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Return the base URL."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def output(self, step: int) -> bytes:
        """Return a step's output, after checking that its chunks neither overlap nor leave holes."""
        whole = b""
        for (index, offset), data in sorted(self.chunks.items()):
            if index == step:
                assert offset == len(whole), f"step {step}: hole or overlap at {offset}"
                whole += data
        return whole

    def wait_until(self, condition: Callable[[], bool], *, timeout_s: float = 15) -> None:
        """Block until `condition` holds; checked at each message."""
        with self.changed:
            assert self.changed.wait_for(condition, timeout_s), "it did not happen in time"

    def take(self, name: str, body: bytes) -> None:
        """Store one message."""
        try:
            value = json.loads(body)
            if name == "result":
                self.result = parse_result(value)
                self.events.append("result")
            else:
                self._take_report(parse_report(value))
        except PayloadError as error:
            self.faults.append(str(error))

    def _take_report(self, report: Report) -> None:
        self.reports.append(report)
        for chunk in report.output:
            known = self.chunks.setdefault((chunk.step, chunk.offset), chunk.data)
            if known != chunk.data:
                self.faults.append(f"({chunk.step}, {chunk.offset}) named two runs of bytes")
        self.steps.update({step.index: step for step in report.steps})


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that was killed; report the rest."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    plane: ControlPlane


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body go out apart, and the body would wait 40 ms

    def log_message(self, *_arguments: object) -> None:
        """Stay silent."""

    def do_POST(self) -> None:
        """Take a report."""
        self._take()

    def do_PUT(self) -> None:
        """Take the result."""
        self._take()

    def _take(self) -> None:
        assert isinstance(self.server, _Server)
        plane = self.server.plane
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if plane.away.is_set():
            self.close_connection = True
            return
        with plane.changed:
            plane.requests += 1
            status = plane.trouble(plane.requests, body) if plane.trouble else 200
            if self.headers["Authorization"] != f"Bearer {plane.ticket}":
                plane.faults.append("wrong ticket")
            if status in (200, 0):
                plane.take(self.path.rpartition("/")[2], body)
            plane.changed.notify_all()
        if status:
            self._answer(status, {"cancelling": plane.cancelling})
        else:
            self.close_connection = True

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)
