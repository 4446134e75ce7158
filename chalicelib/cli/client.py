"""Speaks Berth's HTTP API, as any program outside would."""

import base64
import hashlib
import hmac
import http.client
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from chalicelib.errors import NotFoundError, PayloadError, StoreUnavailableError, TokenError

__all__ = ["Chunk", "Client", "LogAnswer"]

_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Raw output of one step, as the container wrote it."""

    step: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LogAnswer:
    """A page of a job's log, and how job and steps stand. `steps` and `job` are as the API gives."""

    fence: int
    job: Mapping[str, Any]
    steps: tuple[Mapping[str, Any], ...]
    chunks: tuple[Chunk, ...]
    cursor: str
    more: bool
    ended: bool


class Client:
    """One connection, kept alive and made anew when it was lost. Not for use by several threads."""

    def __init__(self, url: str, *, token: str, webhook_secret: str = "") -> None:
        self._url = urlsplit(url)
        self._token = token
        self._webhook_secret = webhook_secret
        self._connection: http.client.HTTPConnection | None = None

    def deliver(self, event: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Send a signed delivery; return the answer (`pipeline`, `duplicate`, or `ignored`)."""
        body = json.dumps(payload).encode()
        mac = hmac.new(self._webhook_secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": f"sha256={mac}",
        }
        return self._ask("POST", "/webhooks/github", body=body, headers=headers)

    def pipeline(self, pipeline: str) -> dict[str, Any]:
        """Return the pipeline with its jobs."""
        return self._ask("GET", f"/api/pipelines/{_part(pipeline)}")

    def cancel(self, pipeline: str) -> int:
        """Cancel the pipeline; return how many jobs had not ended."""
        return int(self.change("POST", "pipelines", pipeline, "cancel")["cancelled"])

    def job(self, job: str) -> dict[str, Any]:
        """Return the job, why it does not run, and its timeline."""
        return self._ask("GET", f"/api/jobs/{_part(job)}")

    def queue(self) -> dict[str, Any]:
        """Return the pools with their hosts, and the tenants."""
        return self._ask("GET", "/api/queue")

    def change(self, method: str, *path: str, **fields: Any) -> dict[str, Any]:
        """Ask for a change, with these fields as JSON; return the answer.

        Args:
            method: `POST` or `PUT`.
            path: the parts of the path below `/api`.
            fields: those that are not None are sent.
        """
        where = "/api/" + "/".join(map(_part, path))
        sent = {name: value for name, value in fields.items() if value is not None}
        return self._ask(method, where, body=json.dumps(sent).encode())

    def log(self, job: str, *, cursor: str = "", fence: int | None = None) -> LogAnswer:
        """Return the next page of a job's log."""
        query = {"cursor": cursor} if cursor else {}
        if fence is not None:
            query["fence"] = str(fence)
        answer = self._ask("GET", f"/api/jobs/{job}/log?{urlencode(query)}")
        chunks = (
            Chunk(step=each["step"], data=base64.b64decode(each["data"]))
            for each in answer["output"]
        )
        return LogAnswer(
            fence=answer["fence"],
            job=answer["job"],
            steps=tuple(answer["steps"]),
            chunks=tuple(chunks),
            cursor=answer["cursor"],
            more=answer["more"],
            ended=answer["ended"],
        )

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        sent = {"Authorization": f"Bearer {self._token}", **(headers or {})}
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        reused = self._connection is not None
        try:
            status, answer = self._exchange(method, self._url.path + path, body, sent)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if reused and method == "GET":  # the other end may just have dropped an idle connection
                return self._ask(method, path, headers=headers)
            where = f"{self._url.scheme}://{self._url.netloc}"
            raise StoreUnavailableError(reason=f"no answer from {where}: {error}") from error
        return _checked(status, answer)

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        if self._connection is None:
            kind = (
                http.client.HTTPSConnection
                if self._url.scheme == "https"
                else http.client.HTTPConnection
            )
            self._connection = kind(self._url.netloc, timeout=_TIMEOUT_S)
        self._connection.request(method, path, body=body, headers=dict(headers))
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def _part(text: str) -> str:
    """Return one part of a path.

    Raises:
        NotFoundError: nothing is called so. Gateways differ in what they make of a quoted slash, so
            it is not left to them.
    """
    if not text or not text.strip(".") or quote(text, safe="") != text:
        raise NotFoundError(reason=f"nothing is named {text!r}")
    return text


def _checked(status: int, answer: bytes) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(answer)
    except ValueError:
        value = {"error": answer.decode("utf-8", "replace")[:200]}
    if status < http.HTTPStatus.BAD_REQUEST:
        return value
    reason = str(value.get("error", value))
    match status:
        case 401:
            raise TokenError(reason=reason)
        case 404:
            raise NotFoundError(reason=reason)
        case _ if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise StoreUnavailableError(reason=f"HTTP {status}: {reason}")
        case _:
            raise PayloadError(reason=reason, status=status)
