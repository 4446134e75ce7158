"""The supervisor's own log: JSON lines with job and fence, bounded, without secrets.

`logging` is not used: importing it costs more than a tenth of the supervisor's whole start.
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

__all__ = ["Journal"]

_LIMIT_BYTES = 1 << 20


class Journal:
    """Appends events to a file; at the limit the file becomes `<name>.1`, and the older one goes."""

    def __init__(
        self, path: Path, *, job: str, fence: int, limit_bytes: int = _LIMIT_BYTES
    ) -> None:
        self._path = path
        self._context = {"job": job, "fence": fence, "pid": os.getpid()}
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()

    def write(self, event: str, **facts: object) -> None:
        """Append one line. A full disk loses the line and harms nothing."""
        line = {"time": round(time.time(), 3), "event": event, **self._context, **facts}
        text = json.dumps(line, default=str) + "\n"
        with self._lock:
            try:
                self._append(text)
            except OSError:
                return

    def _append(self, text: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(text)
            size = file.tell()
        if size > self._limit_bytes:
            self._path.replace(self._path.with_name(self._path.name + ".1"))

    def move_to(self, path: Path) -> None:
        """Put the log where it outlives the attempt's directory."""
        with self._lock:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._path.replace(path)
            self._path = path
