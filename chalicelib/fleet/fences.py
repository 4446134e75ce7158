"""Fence files on a host: one per job, holding the newest fence that the host has seen.

The file is also the job's lock: whoever changes an attempt of the job on this host holds it, so two
Lambdas that dispatch the same attempt take turns, and the kernel frees it when one is killed. The
number is written in place, in one write of ten bytes: replacing the file would leave the next
holder with a lock on a file that is no longer there.
"""

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from chalicelib.errors import FenceLostError

__all__ = ["Fences"]

_WIDTH = 9
_KEEP = timedelta(days=2)
"""Longer than any Lambda or supervisor that still holds an old fence can live."""


class Fences:
    """The fence files below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, job: str, fence: int) -> Iterator[None]:
        """Hold the job's lock, with `fence` noted as seen.

        Raises:
            FenceLostError: a newer fence was seen.
        """
        with self.lock(job) as handle:
            text = os.pread(handle, _WIDTH, 0)
            if text and int(text) > fence:
                raise FenceLostError(job=job, fence=fence)
            os.pwrite(handle, f"{fence:0{_WIDTH}}\n".encode(), 0)
            yield

    @contextmanager
    def lock(self, job: str) -> Iterator[int]:
        """Hold the job's lock and nothing more; gives the file's descriptor."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = self._open(self._folder / job)
        try:
            yield handle
        finally:
            os.close(handle)

    def forget(self, live: Collection[str], *, now: datetime) -> None:
        """Remove what has not changed for two days, but for the jobs in `live`."""
        with suppress(FileNotFoundError):
            for path in list(self._folder.iterdir()):
                if path.name not in live:
                    _remove_if_older(path, now - _KEEP)

    def _open(self, path: Path) -> int:
        while True:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), path.stat()):
                    return handle
            os.close(handle)  # `forget` removed it while we waited


def _remove_if_older(path: Path, moment: datetime) -> None:
    with suppress(FileNotFoundError, BlockingIOError):
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_mtime < moment.timestamp():
                path.unlink()
        finally:
            os.close(handle)
