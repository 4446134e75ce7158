"""LXD's REST API over its Unix socket, through pylxd; every foreign error becomes one of ours.

pylxd's models ask again after each change; its API nodes do not, and its `_wait` endpoint is used
with a limit, because the socket gives up after 60 s. `project` is a parameter of each call here:
pylxd's own setting forbids listing all projects.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import IO, Any, cast

from chalicelib.clock import Clock, SteadyClock
from chalicelib.errors import HostUnreachableError, NotReadyError
from chalicelib.fleet.health import ClockReading, LxdAnswer
from chalicelib.wait import WaitPolicy

__all__ = ["LxdApi"]

_WAIT_S = 20
"""One request for the end of an operation; below the 60 s after which pylxd's socket gives up."""
_RUNNING = range(100, 200)
_SUCCESS = range(200, 300)

Metadata = Mapping[str, Any]

# No sleep: LXD itself holds each request until the operation has ended. The callers know how long.
_OPERATION_ENDED = WaitPolicy(
    name="the end of an operation of LXD",
    sleep=None,
    tries=None,
    success=lambda operation: operation.get("status_code", 0) not in _RUNNING,
)


class LxdApi:
    """Calls one LXD; connects on first use. Paths are segments: `get("instances", "c1")`.

    Every method raises `HostUnreachableError` when LXD does not answer or refuses.
    """

    def __init__(self, path: str, *, host: str, project: str) -> None:
        """Remember where LXD's socket is; `host` is the name that errors carry."""
        self._socket = path
        self._host = host
        self.project = project
        self._client: Any = None

    def get(self, *path: str, **query: str) -> Any:
        """Return the answer's metadata, or None when there is no such thing."""
        body = self._request("get", path, {"params": self._query(query)})
        return None if body is None else body["metadata"]

    def get_everywhere(self, *path: str, **query: str) -> Any:
        """Return a listing that covers all projects."""
        params = {"all-projects": "true", **query}
        body = self._request("get", path, {"params": params})
        return [] if body is None else body["metadata"]

    def post(self, *path: str, body: Metadata, limit_s: float = 60) -> Metadata:
        """Create something; return the answer, or the operation's end when it is one."""
        return self._change("post", path, {"json": body}, limit_s)

    def put(self, *path: str, body: Metadata, limit_s: float = 60) -> Metadata:
        """Replace or switch something; return as `post` does."""
        return self._change("put", path, {"json": body}, limit_s)

    def patch(self, *path: str, body: Metadata, limit_s: float = 60) -> Metadata:
        """Change some of something; return as `post` does."""
        return self._change("patch", path, {"json": body}, limit_s)

    def upload(
        self, *path: str, content: IO[bytes] | bytes, headers: Mapping[str, str], **query: str
    ) -> Metadata:
        """Send bytes; return as `post` does. For images and files."""
        call = {"data": content, "headers": dict(headers), "params": self._query(query)}
        return self._change("post", path, call, limit_s=600)

    def delete(self, *path: str, limit_s: float = 60) -> bool:
        """Remove something; False when there was no such thing."""
        body = self._request("delete", path, {"params": self._query({})})
        if body is None:
            return False
        self._finish(body, limit_s)
        return True

    def probe(self, clock: Clock) -> tuple[LxdAnswer, ClockReading | None]:
        """Return how LXD answers, and its machine's clock against `clock`, in one round trip.

        The clock comes with the answer, as every HTTP server's: reading it by a program on the host
        would take a way to run one. Never raises `HostUnreachableError`: that is in the answer.
        """
        steady = SteadyClock()
        started, before = steady.now(), clock.now()
        try:
            answer = self._send("get", (), {})
        except HostUnreachableError as error:
            return LxdAnswer(error=error.reason), None
        after, took = clock.now(), steady.now() - started
        body = answer.json()["metadata"]
        version = str(body.get("environment", {}).get("server_version", ""))
        date = _date(answer.headers.get("Date", ""))
        return (
            LxdAnswer(version=version, api_version=str(body["api_version"]), took=took),
            ClockReading(before=before, host=date, after=after) if date else None,
        )

    def _query(self, query: Mapping[str, str]) -> dict[str, str]:
        return {"project": self.project, **query}

    def _change(
        self, method: str, path: tuple[str, ...], call: dict[str, Any], limit_s: float
    ) -> Metadata:
        body = self._request(method, path, {"params": self._query({}), **call})
        if body is None:
            raise self._unreachable(f"LXD has no {'/'.join(path)}")
        return self._finish(body, limit_s)

    def _finish(self, body: Metadata, limit_s: float) -> Metadata:
        """Return a synchronous answer's metadata, or wait for the operation that was started."""
        if body["type"] != "async":
            return cast("Metadata", body["metadata"] or {})
        name = body["operation"].rpartition("/")[2]

        def operation_now() -> Metadata:
            wait = {"params": {"timeout": str(_WAIT_S)}}
            answer = self._request("get", ("operations", name, "wait"), wait)
            return (answer or {}).get("metadata") or {}

        policy = replace(_OPERATION_ENDED, timeout=timedelta(seconds=limit_s))
        try:
            operation = policy.wait(operation_now, clock=SteadyClock())
        except NotReadyError as error:
            slow = error.last_value["description"]
            raise self._unreachable(f"{slow} takes over {limit_s:.0f} s") from error
        if operation.get("status_code", 0) not in _SUCCESS:
            raise self._unreachable(operation.get("err") or "LXD forgot the operation")
        return operation

    def _request(self, method: str, path: tuple[str, ...], call: dict[str, Any]) -> Metadata | None:
        answer = self._send(method, path, call)
        return None if answer is None else cast("Metadata", answer.json())

    def _send(self, method: str, path: tuple[str, ...], call: dict[str, Any]) -> Any:
        """Return the answer as it came, or None when there is no such thing."""
        # Importing pylxd takes 175 ms, which a Lambda pays once and only when it drives a host.
        from pylxd.exceptions import NotFound  # noqa: PLC0415

        from chalicelib.transport.lxd_errors import FOREIGN, reason_of  # noqa: PLC0415

        try:
            node = self._connection().api
            for segment in path:
                node = node[segment]
            return getattr(node, method)(**call)
        except NotFound:
            return None
        except FOREIGN as error:
            self._client = None  # LXD may have been started anew behind the old connection
            raise self._unreachable(reason_of(error)) from error

    def _connection(self) -> Any:
        from chalicelib.transport.lxd_client import open_client  # noqa: PLC0415 (as above)

        if self._client is None:
            self._client = open_client(self._socket)
        return self._client

    def _unreachable(self, reason: str) -> HostUnreachableError:
        return HostUnreachableError(host=self._host, reason=reason)


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else None
