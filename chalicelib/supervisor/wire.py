"""The way to the control plane: one keep-alive connection, one request at a time, until answered.

Rule of this file: transport and retrying only. What is said is `reporter`'s business.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chalicelib.supervisor.faults import AttemptLostError
from chalicelib.supervisor.journal import Journal

__all__ = ["Answer", "ControlPlane", "Patience"]

_LOST = frozenset({401, 403, 404, 409, 410})
_AGAIN = frozenset({408, 425, 429})
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_TIMEOUT_S = 20.0
_GIVE_UP_S = 24 * 3600.0
_BROKEN = (OSError, http.client.HTTPException, ValueError)


@dataclass(frozen=True)
class Answer:
    """What the control plane said. `refused` means a 4xx that no repeat can mend."""

    status: int
    body: dict[str, Any]

    @property
    def refused(self) -> bool:
        """Return whether the request was turned down for good."""
        return self.status >= 400  # noqa: PLR2004 - HTTP's border


class Patience:
    """Back-off: 0.2 s doubling to 5 s, each pause between a half and the whole of it."""

    def __init__(self) -> None:
        self._pause_s = _FIRST_PAUSE_S

    def next_s(self) -> float:
        """Return the next pause in seconds."""
        pause_s, self._pause_s = self._pause_s, min(_LONGEST_PAUSE_S, self._pause_s * 2)
        return pause_s * (0.5 + os.urandom(1)[0] / 512)


class ControlPlane:
    """The attempt's callbacks. Not for use from two threads at once: give each its own."""

    def __init__(
        self,
        *,
        api_url: str,
        attempt: str,
        ticket: Path,
        journal: Journal,
        stopped: threading.Event,
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            api_url: base, http or https, without a final slash.
            attempt: `<job>/<fence>`.
            ticket: file of the bearer token, read anew for each request.
            journal: told of trouble.
            stopped: once set, calls end with `AttemptLostError` instead of retrying.
        """
        parts = urlsplit(api_url)
        self._https = parts.scheme == "https"
        self._host = parts.netloc
        self._prefix = f"{parts.path}/attempts/{attempt}"
        self._ticket = ticket
        self._journal = journal
        self._stopped = stopped
        self._connection: http.client.HTTPConnection | None = None

    def call(
        self, method: str, name: str, body: bytes, *, until: Callable[[], bool] | None = None
    ) -> Answer:
        """Return the answer, repeating the same bytes until there is one.

        Args:
            method: `POST` or `PUT`.
            name: `report` or `result`.
            body: JSON.
            until: when it returns True, the call gives up.

        Raises:
            AttemptLostError: the attempt is not the current one, 24 hours went by, or `until`.
        """
        patience = Patience()
        begun = time.monotonic()
        while True:
            answer, trouble = self._try(method, name, body)
            if answer is not None:
                return answer
            over = self._stopped.is_set() or (until is not None and until())
            if over or time.monotonic() - begun > _GIVE_UP_S:
                msg = f"gave up on {name}: {trouble}"
                raise AttemptLostError(msg)
            pause_s = patience.next_s()
            self._journal.write("retry", call=name, trouble=trouble, pause_s=round(pause_s, 2))
            self._stopped.wait(pause_s)

    def _try(self, method: str, name: str, body: bytes) -> tuple[Answer | None, str]:
        """Return the answer, or None and what stood in the way."""
        try:
            status, payload = self._exchange(method, name, body)
        except _BROKEN as error:
            self.close()
            return None, repr(error)
        if status in _LOST:
            msg = f"the control plane answered {status} to {name}"
            raise AttemptLostError(msg)
        if status in _AGAIN or not (200 <= status < 300 or 400 <= status < 500):  # noqa: PLR2004
            return None, f"status {status}"
        return Answer(status, _decode(payload)), ""

    def _exchange(self, method: str, name: str, body: bytes) -> tuple[int, bytes]:
        headers = {
            "Authorization": f"Bearer {self._ticket.read_text(encoding='utf-8').strip()}",
            "Content-Type": "application/json",
        }
        connection = self._connected()
        connection.request(method, f"{self._prefix}/{name}", body, headers)
        response = connection.getresponse()
        return response.status, response.read()

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._https else http.client.HTTPConnection
            self._connection = kind(self._host, timeout=_TIMEOUT_S)
        return self._connection

    def close(self) -> None:
        """Drop the connection; the next call makes a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _decode(payload: bytes) -> dict[str, Any]:
    try:
        body = json.loads(payload)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
