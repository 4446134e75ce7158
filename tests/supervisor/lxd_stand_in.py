"""A stand-in for LXD: its REST API and websockets on a Unix socket, over real processes.

"Container" paths are paths of this machine, so tests name directories below their `tmp_path`. It
keeps to what LXD 5.0 does where the supervisor depends on it: the control websocket closes when the
main process ends; the operation ends when both outputs are at their end, or cannot be delivered; an
empty text message ends a stream; a lost control connection kills the command; a missing working
directory is ignored; owner and mode of a file count only when it is new.
"""

import base64
import contextlib
import hashlib
import json
import os
import signal
import socketserver
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from ws4py.framing import (
    OPCODE_BINARY,
    OPCODE_PING,
    OPCODE_TEXT,
    Frame,
)

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Enters the cgroup before the command exists, as liblxc's attach does.
_ENTER = """
import os, sys
procs, cwd = sys.argv[1:3]
if procs:
    with open(procs, "w") as file:
        file.write(str(os.getpid()))
try:
    os.chdir(cwd)
except OSError:
    os.chdir("/")
try:
    os.execvp(sys.argv[3], sys.argv[3:])
except FileNotFoundError:
    os._exit(127)
"""


def cgroup_root() -> Path | None:
    """Return where this process may make cgroups, or None."""
    for root in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")):
        if os.access(root / "cgroup.procs", os.W_OK):
            return root
    return None


@dataclass
class _Operation:
    """A command under way, or a change of the container."""

    fds: dict[str, str] = field(default_factory=dict)
    sockets: dict[str, Any] = field(default_factory=dict)
    ready: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    metadata: dict[str, Any] = field(default_factory=dict)
    error: str = ""


class LxdStandIn:
    """One LXD with one running container."""

    def __init__(self, socket_path: Path, *, project: str, instance: str) -> None:
        self.socket_path = socket_path
        self.instance = instance
        self.alive = True
        self.events: list[str] = []
        self.commands: list[dict[str, Any]] = []
        self.hidden: set[str] = set()
        self.operations: dict[str, _Operation] = {}
        root = cgroup_root()
        self.cgroup = root / f"lxc.payload.{project}_{instance}" if root else None
        if self.cgroup:
            self.cgroup.mkdir()
        self._server = _Server(str(socket_path), _Handler)
        self._server.lxd = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def pids(self) -> list[int]:
        """Return the processes in the container."""
        if self.cgroup is None or not self.cgroup.exists():
            return []
        return [int(line) for line in (self.cgroup / "cgroup.procs").read_text().split()]

    def stop_container(self) -> None:
        """Kill everything in it."""
        while pids := self.pids():
            for pid in pids:
                _kill(pid)
            time.sleep(0.01)

    def close(self) -> None:
        """End the server and the container."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.stop_container()
        if self.cgroup is not None and self.cgroup.exists():
            self.cgroup.rmdir()

    def run(self, body: dict[str, Any], operation: _Operation) -> None:
        """Run a command as LXD's `execWs.Do` does."""
        operation.ready.wait(5)
        procs = str(self.cgroup / "cgroup.procs") if self.cgroup else ""
        environment = {"PATH": _PATH, "LANG": "C.UTF-8", **body["environment"]}
        program, *arguments = body["command"]
        found = "/nonexistent" if program in self.hidden else program
        process = subprocess.Popen(
            [
                sys.executable,
                "-I",
                "-S",
                "-c",
                _ENTER,
                procs,
                body["cwd"] or "/",
                found,
                *arguments,
            ],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        sockets = operation.sockets
        outputs = [
            threading.Thread(target=_send_stream, args=(sockets["1"], process.stdout)),
            threading.Thread(target=_send_stream, args=(sockets["2"], process.stderr)),
        ]
        main_ended = threading.Event()
        others = [
            threading.Thread(target=_receive_stdin, args=(sockets["0"], process.stdin)),
            threading.Thread(
                target=_watch_control, args=(sockets["control"], process.pid, main_ended)
            ),
        ]
        for thread in (*outputs, *others):
            thread.start()
        status = process.wait()
        main_ended.set()
        _shut(sockets["control"])
        for thread in outputs:
            thread.join()
        operation.metadata["return"] = 128 - status if status < 0 else status
        operation.ended.set()
        for connection in sockets.values():
            _shut(connection)
        for thread in others:
            thread.join()


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that was killed; report the rest."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    request_queue_size = 64
    lxd: LxdStandIn


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    _found: ClassVar[int] = 200

    def log_message(self, *_arguments: object) -> None:
        """Stay silent."""

    def address_string(self) -> str:
        """Return a name for a peer on a Unix socket."""
        return "unix"

    @property
    def lxd(self) -> LxdStandIn:
        assert isinstance(self.server, _Server)
        return self.server.lxd

    def do_GET(self) -> None:
        """Answer files, waits and websockets."""
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path.endswith("/websocket"):
            self._websocket(url.path.split("/")[3], query["secret"])
        elif url.path.endswith("/wait"):
            self._wait(url.path.split("/")[3])
        elif self._has_instance(url.path):
            self._get_file(Path(query["path"]))

    def do_POST(self) -> None:
        """Write files and start commands."""
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._has_instance(url.path):
            return
        if url.path.endswith("/exec"):
            self._exec(json.loads(body))
        else:
            self._put_file(Path(parse_qs(url.query)["path"][0]), body)

    def do_PUT(self) -> None:
        """Stop the container; a freeze is accepted and does nothing here."""
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        if self._has_instance(self.path):
            if body["action"] == "stop":
                self.lxd.stop_container()
                self.lxd.events.append("stopped")
            self._done()

    def do_DELETE(self) -> None:
        """Delete the container."""
        if self._has_instance(self.path):
            self.lxd.alive = False
            if self.lxd.cgroup is not None:
                self.lxd.cgroup.rmdir()
            self.lxd.events.append("deleted")
            self._done()

    def _has_instance(self, path: str) -> bool:
        there = self.lxd.alive and path.split("/")[3].split("?", maxsplit=1)[0] == self.lxd.instance
        if not there:
            self._answer(404, {"type": "error", "error": "Instance not found", "error_code": 404})
        return there

    def _done(self) -> None:
        name = str(uuid.uuid4())
        self.lxd.operations[name] = operation = _Operation()
        operation.ended.set()
        self._answer(202, {"type": "async", "operation": f"/1.0/operations/{name}", "metadata": {}})

    def _exec(self, body: dict[str, Any]) -> None:
        name = str(uuid.uuid4())
        operation = _Operation(fds={fd: uuid.uuid4().hex for fd in ("0", "1", "2", "control")})
        self.lxd.operations[name] = operation
        self.lxd.commands.append(body)
        threading.Thread(target=self.lxd.run, args=(body, operation), daemon=True).start()
        metadata = {"id": name, "class": "websocket", "metadata": {"fds": operation.fds}}
        answer = {"type": "async", "operation": f"/1.0/operations/{name}", "metadata": metadata}
        self._answer(202, answer)

    def _wait(self, name: str) -> None:
        operation = self.lxd.operations.get(name)
        if operation is None:
            self._answer(404, {"type": "error", "error": "Operation not found", "error_code": 404})
            return
        operation.ended.wait()
        metadata = {"status_code": 200, "status": "Success", "err": operation.error}
        metadata["metadata"] = operation.metadata
        self._answer(200, {"type": "sync", "status_code": 200, "metadata": metadata})

    def _websocket(self, name: str, secret: str) -> None:
        operation = self.lxd.operations[name]
        key = self.headers["Sec-WebSocket-Key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept.decode())
        self.end_headers()
        fd = next(fd for fd, known in operation.fds.items() if known == secret)
        operation.sockets[fd] = self.connection
        if len(operation.sockets) == len(operation.fds):
            operation.ready.set()
        operation.ended.wait()
        self.close_connection = True

    def _get_file(self, path: Path) -> None:
        if str(path) in self.lxd.hidden or not os.path.lexists(path):
            self._answer(404, {"type": "error", "error": "Not Found", "error_code": 404})
        elif path.is_dir():
            names = sorted(entry.name for entry in path.iterdir())
            self._answer(200, {"type": "sync", "metadata": names})
        else:
            self._answer(200, {"type": "sync", "metadata": None})

    def _put_file(self, path: Path, body: bytes) -> None:
        mode = int(self.headers["X-LXD-mode"], 8)
        if self.headers["X-LXD-type"] == "directory":
            if not path.exists():
                path.mkdir()
                path.chmod(mode)
        elif not path.parent.is_dir():
            self._answer(404, {"type": "error", "error": "Not Found", "error_code": 404})
            return
        else:
            new = not path.exists()
            path.write_bytes(body)
            if new:
                path.chmod(mode)
        self._answer(200, {"type": "sync", "status_code": 200, "metadata": {}})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


def _frame(opcode: int, payload: bytes) -> bytes:
    built = Frame(opcode=opcode, body=payload, fin=1).build()
    assert isinstance(built, bytes)
    return built


def _send_stream(connection: Any, pipe: Any) -> None:
    try:
        connection.sendall(_frame(OPCODE_PING, b"keepalive"))
        while data := pipe.read1(128 * 1024):
            connection.sendall(_frame(OPCODE_BINARY, data))
        connection.sendall(_frame(OPCODE_TEXT, b""))
    except OSError:
        pass  # nobody listens: LXD gives the stream up
    finally:
        pipe.close()


def _receive_stdin(connection: Any, pipe: Any) -> None:
    connection.recv(64)  # the only message the supervisor sends: the empty text one
    pipe.close()


def _watch_control(connection: Any, pid: int, main_ended: threading.Event) -> None:
    try:
        while connection.recv(4096):
            pass
    except OSError:
        pass
    if not main_ended.is_set():
        _kill(pid)


def _shut(connection: Any) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(2)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
