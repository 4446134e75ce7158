"""LXD's REST API over its Unix socket, as far as a supervisor needs it.

No `lxc` command: the environment of a step would be in the host's process list. Each call opens
its own connection (under a millisecond on a Unix socket), so calls may come from any thread.
API: <https://documentation.ubuntu.com/lxd/stable-5.0/api/>, checked against LXD 5.0's source.
"""

from __future__ import annotations

import http.client
import json
import posixpath
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import quote, urlencode

from chalicelib.supervisor.faults import InfrastructureError
from chalicelib.supervisor.websocket import WebSocket

__all__ = ["Exec", "ExecRequest", "Lxd", "LxdError"]

_TIMEOUT_S = 30.0
_SWITCH_S = 5  # to freeze and thaw; whole seconds, as LXD takes them
_NOT_FOUND = 404
_ERRORS = 400
_CONTROL = "control"


class LxdError(InfrastructureError):
    """LXD did not answer, or answered with an error. `status` is 0 when there was no answer."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class ExecRequest:
    """A command to run in the container."""

    command: Sequence[str]
    environment: Mapping[str, str]
    cwd: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Exec:
    """A command that LXD is about to run. `wait` becomes readable when the operation ends."""

    operation: str
    stdout: WebSocket
    stderr: WebSocket
    control: WebSocket
    stdin: WebSocket
    wait: http.client.HTTPConnection

    def close(self) -> None:
        """Drop all connections. LXD kills the command's main process if it still runs."""
        for stream in (self.stdin, self.stdout, self.stderr, self.control):
            stream.shut()
        self.wait.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float | None) -> None:
        super().__init__("lxd", timeout=timeout, blocksize=1 << 18)
        self._path = path
        self._timeout = timeout

    def connect(self) -> None:
        self.sock = _unix_socket(self._path, self._timeout)


def _unix_socket(path: str, timeout: float | None) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock


class Lxd:
    """One container, through LXD's API. Every method raises `LxdError` when LXD refuses."""

    def __init__(self, *, socket_path: str, project: str, instance: str) -> None:
        self._socket_path = socket_path
        self._project = project
        self._instance = f"/1.0/instances/{quote(instance, safe='')}"

    def make_directory(self, path: str, *, uid: int, gid: int, mode: int = 0o755) -> None:
        """Make a directory and its parents; what exists stays as it is."""
        parents = [path]
        while posixpath.dirname(parents[-1]) != "/":
            parents.append(posixpath.dirname(parents[-1]))
        for directory in reversed(parents):
            self._file("POST", directory, _file_headers("directory", uid, gid, mode), b"")

    def put_file(
        self, path: str, content: bytes | IO[bytes], *, uid: int, gid: int, mode: int, size: int
    ) -> None:
        """Write a file, streamed when `content` is an open file. Owner and mode count for a new one."""
        headers = _file_headers("file", uid, gid, mode)
        headers["Content-Length"] = str(size)
        self._file("POST", path, headers, content)

    def list_directory(self, path: str) -> list[str] | None:
        """Return the names in a directory; None when there is none of that name."""
        try:
            answer = self._file("GET", path, {}, None)
        except LxdError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        names = answer.get("metadata", [])
        return [str(name) for name in names or []]

    def exists(self, path: str) -> bool:
        """Return whether a path exists in the container. Reads no content."""
        query = urlencode({"path": path, "project": self._project})
        connection, response = self._send("GET", f"{self._instance}/files?{query}", None, {})
        connection.close()
        if response.status not in (200, _NOT_FOUND):
            msg = f"LXD answered {response.status} for {path}"
            raise LxdError(msg, status=response.status)
        return response.status != _NOT_FOUND

    def start(self, request: ExecRequest) -> Exec:
        """Start a command and connect its streams; its stdin is at its end."""
        body = {
            "command": list(request.command),
            "environment": dict(request.environment),
            "cwd": request.cwd,
            "user": request.uid,
            "group": request.gid,
            "interactive": False,
            "wait-for-websocket": True,
            "record-output": False,
        }
        answer = self._call("POST", f"{self._instance}/exec", body)
        sockets: dict[str, WebSocket] = {}
        try:
            operation = _operation(answer)
            secrets = answer["metadata"]["metadata"]["fds"]
            wait = self._wait_connection(operation)
            # LXD starts the command once 0, 1 and 2 are there; control goes first so that the
            # command dies with us whenever we die.
            for name in (_CONTROL, "1", "2", "0"):
                sockets[name] = self._websocket(operation, secrets[name])
        except (OSError, KeyError, TypeError) as error:
            for stream in sockets.values():
                stream.shut()
            msg = f"LXD did not give the command its streams: {error!r}"
            raise LxdError(msg) from error
        return Exec(operation, sockets["1"], sockets["2"], sockets[_CONTROL], sockets["0"], wait)

    def _websocket(self, operation: str, secret: str) -> WebSocket:
        sock = _unix_socket(self._socket_path, _TIMEOUT_S)
        stream = WebSocket.connect(sock, f"{operation}/websocket?{urlencode({'secret': secret})}")
        sock.settimeout(_TIMEOUT_S)
        return stream

    def _wait_connection(self, operation: str) -> http.client.HTTPConnection:
        # Asked for at once: LXD forgets an operation five seconds after its end.
        connection = _UnixConnection(self._socket_path, None)
        connection.request("GET", f"{operation}/wait")
        return connection

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let no process of the container run while the block does. Best effort: errors pass."""
        self._switch("freeze")
        try:
            yield
        finally:
            self._switch("unfreeze")

    def _switch(self, action: str) -> None:
        body = {"action": action, "timeout": _SWITCH_S}
        try:
            self._finish(self._call("PUT", f"{self._instance}/state", body))
        except LxdError:
            return

    def delete(self) -> None:
        """Stop the container by force and delete it. A container that is gone is a success."""
        try:
            answer = self._call(
                "PUT", f"{self._instance}/state", {"action": "stop", "timeout": -1, "force": True}
            )
            self._finish(answer)
        except LxdError as error:
            if error.status == _NOT_FOUND:
                return
            # It may be stopped already; whether that was all shows in the deletion.
        try:
            self._finish(self._call("DELETE", self._instance, None))
        except LxdError as error:
            if error.status != _NOT_FOUND:
                raise

    def _finish(self, answer: Mapping[str, Any]) -> None:
        url = f"{_operation(answer)}/wait?timeout={_TIMEOUT_S:.0f}"
        ended = self._call("GET", url, None).get("metadata") or {}
        if ended.get("status_code") != 200:  # noqa: PLR2004 - LXD's "Success"
            msg = f"LXD: {ended.get('err') or ended.get('status')}"
            raise LxdError(msg, status=_ERRORS)

    def _file(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | IO[bytes] | None
    ) -> dict[str, Any]:
        query = urlencode({"path": path, "project": self._project})
        return self._request(method, f"{self._instance}/files?{query}", body, headers)

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        joint = "&" if "?" in path else "?"
        url = f"{path}{joint}{urlencode({'project': self._project})}"
        payload = None if body is None else json.dumps(body).encode()
        return self._request(method, url, payload, {"Content-Type": "application/json"})

    def _request(
        self, method: str, url: str, body: bytes | IO[bytes] | None, headers: Mapping[str, str]
    ) -> dict[str, Any]:
        connection, response = self._send(method, url, body, headers)
        try:
            answer = _decode(response.read())
        except (OSError, http.client.HTTPException) as error:
            msg = f"LXD broke off its answer to {method} {url.split('?', 1)[0]}: {error!r}"
            raise LxdError(msg) from error
        finally:
            connection.close()
        if response.status >= _ERRORS:
            msg = f"LXD answered {response.status}: {answer.get('error') or 'no reason given'}"
            raise LxdError(msg, status=response.status)
        return answer

    def _send(
        self, method: str, url: str, body: bytes | IO[bytes] | None, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = _UnixConnection(self._socket_path, _TIMEOUT_S * 2)
        try:
            connection.request(method, url, body, dict(headers))
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            msg = f"LXD does not answer {method} {url.split('?', 1)[0]}: {error!r}"
            raise LxdError(msg) from error


def _operation(answer: Mapping[str, Any]) -> str:
    name = answer.get("operation")
    if not isinstance(name, str):
        msg = "LXD began no operation"
        raise LxdError(msg)
    return name.split("?", 1)[0]


def _file_headers(kind: str, uid: int, gid: int, mode: int) -> dict[str, str]:
    return {
        "Content-Type": "application/octet-stream",
        "X-LXD-type": kind,
        "X-LXD-uid": str(uid),
        "X-LXD-gid": str(gid),
        "X-LXD-mode": f"{mode:04o}",
        "X-LXD-write": "overwrite",
    }


def _decode(payload: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(payload)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
