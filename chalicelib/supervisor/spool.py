"""Output on disk before it is sent, one file per step, bounded by the job's log limit.

Disk, not memory, holds what the control plane has not taken yet: it may be away for minutes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

__all__ = ["Spool", "limit_notice"]

_MEGABYTE = 1024 * 1024


def limit_notice(limit_bytes: int) -> bytes:
    """Return what is printed where the output was cut.

    >>> limit_notice(50 * 1024 * 1024).decode().strip()
    '[berth] log limit of 50 MB reached: output cut here'
    """
    size = f"{limit_bytes / _MEGABYTE:g} MB" if limit_bytes >= _MEGABYTE else f"{limit_bytes} bytes"
    return f"\n[berth] log limit of {size} reached: output cut here\n".encode()


class Spool:
    """Keeps each step's raw output in `<directory>/<step>.out`. Calls may come from any thread."""

    def __init__(
        self, directory: Path, *, limit_bytes: int, arrived: Callable[[int], None]
    ) -> None:
        """Open a spool.

        Args:
            directory: made if missing; what a former supervisor left there is taken over.
            limit_bytes: of all steps together; the notice and `note` come on top.
            arrived: called with the step's index after bytes were stored.
        """
        directory.mkdir(mode=0o700, exist_ok=True)
        self._directory = directory
        self._limit_bytes = limit_bytes
        self._arrived = arrived
        self._lock = threading.Lock()
        self._sizes = {int(path.stem): path.stat().st_size for path in directory.glob("*.out")}
        self._used = sum(self._sizes.values())
        self._cut = False

    def write(self, step: int, data: bytes) -> None:
        """Append output of a step; beyond the limit it is dropped, with one notice at the cut.

        Raises:
            OSError: the disk is full.
        """
        with self._lock:
            room = max(0, self._limit_bytes - self._used)
            kept = data[:room]
            if len(kept) < len(data) and not self._cut:
                self._cut = True
                kept += limit_notice(self._limit_bytes)
            self._used += len(data)
            self._append(step, kept)
        if kept:
            self._arrived(step)

    def note(self, step: int, text: str) -> None:
        """Append a line of our own to a step's output, whatever the limit."""
        with self._lock:
            self._append(step, f"[berth] {text}\n".encode())
        self._arrived(step)

    def _append(self, step: int, data: bytes) -> None:
        if not data:
            return
        with (self._directory / f"{step}.out").open("ab", buffering=0) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
        self._sizes[step] = self._sizes.get(step, 0) + len(data)

    def sizes(self) -> dict[int, int]:
        """Return how many bytes of each step are stored, by index, in order."""
        with self._lock:
            return dict(sorted(self._sizes.items()))

    def read(self, step: int, offset: int, size: int) -> bytes:
        """Return stored bytes."""
        with (self._directory / f"{step}.out").open("rb", buffering=0) as file:
            return os.pread(file.fileno(), size, offset)
