"""One run in progress, the part that all drivers share: its output, its limit, its end."""

import os
import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypedDict

from chalicelib.errors import (
    CommandCancelledError,
    CommandError,
    CommandFailedError,
    CommandTimeoutError,
)
from chalicelib.transport.invocation import Invocation, invocation, pieces
from chalicelib.transport.protocol import Call, Chunk, Input, StreamName, Transport
from chalicelib.transport.result import Result

__all__ = ["Driver", "Feeder", "Run"]

_TAIL_BYTES = 64 * 1024
_LISTEN_S = 0.05
"""How soon a cancellation is heard."""


class _Facts(TypedDict):
    """The fields that every `CommandError` has."""

    host: str
    command: str
    stdout: bytes
    stderr: bytes
    elapsed: timedelta


class _Kept:
    """One stream of a run: all of it, or its end."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._chunks: deque[bytes] = deque()
        self._size = 0

    def add(self, data: bytes) -> None:
        self._chunks.append(data)
        self._size += len(data)
        limit = self._limit
        while limit is not None and self._size - len(self._chunks[0]) >= limit:
            self._size -= len(self._chunks.popleft())

    def whole(self) -> bytes:
        kept = b"".join(self._chunks)
        return kept if self._limit is None else kept[-self._limit :]


class Run:
    """A call that is being run by a driver, for as long as it takes."""

    def __init__(self, call: Call, made: Invocation, host: str) -> None:
        self.call = call
        self.invocation = made
        self.host = host
        self.token = os.urandom(8).hex()
        """Marks the processes of this run, see `tree`."""
        self._started = time.monotonic()
        self._deadline = None if call.timeout_s is None else self._started + call.timeout_s
        limit = None if call.on_output is None else _TAIL_BYTES
        self._kept: dict[StreamName, _Kept] = {"stdout": _Kept(limit), "stderr": _Kept(limit)}

    def feed(self, stream: StreamName, data: bytes) -> None:
        """Take output; pass it on to the caller, who may be slow. One thread at a time."""
        if data:
            self._kept[stream].add(data)
            if self.call.on_output is not None:
                self.call.on_output(Chunk(stream, data))

    def over(self) -> bool:
        """Return whether the run has to be ended: it is cancelled, or its time is up."""
        return self._cancelled() or self.left_s() == 0

    def left_s(self) -> float | None:
        """Return the seconds left, 0 at the least; None is without limit."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def pause_s(self, longest_s: float | None = None) -> float | None:
        """Return how long a driver may wait before it asks `over` again; None is for ever."""
        limits = [self.left_s(), None if self.call.cancel is None else _LISTEN_S, longest_s]
        given = [limit for limit in limits if limit is not None]
        return min(given) if given else None

    def ended_early(self) -> CommandError:
        """Return the error of a run that had to be ended."""
        if self._cancelled():
            return CommandCancelledError(**self._facts())
        return CommandTimeoutError(timeout_s=self.call.timeout_s or 0.0, **self._facts())

    def result(self, exit_status: int) -> Result:
        """Return what the run came to.

        Raises:
            CommandFailedError: the status is not 0, and the caller wants that checked.
        """
        if exit_status and self.call.check:
            raise CommandFailedError(exit_status=exit_status, **self._facts())
        return Result(
            command=self.call.shown,
            host=self.host,
            exit_status=exit_status,
            stdout=self._kept["stdout"].whole(),
            stderr=self._kept["stderr"].whole(),
            elapsed=self._elapsed(),
        )

    def _cancelled(self) -> bool:
        return self.call.cancel is not None and self.call.cancel.is_set()

    def _elapsed(self) -> timedelta:
        return timedelta(seconds=time.monotonic() - self._started)

    def _facts(self) -> "_Facts":
        return {
            "host": self.host,
            "command": self.call.shown,
            "stdout": self._kept["stdout"].whole(),
            "stderr": self._kept["stderr"].whole(),
            "elapsed": self._elapsed(),
        }


class Driver(Transport):
    """A transport that reaches a host by itself."""

    def execute(self, call: Call) -> Result:
        """Run the call; see `Transport.run`."""
        run = Run(call, invocation(call, self.facts), self.host)
        return run.result(self.perform(run))

    @abstractmethod
    def perform(self, run: Run) -> int:
        """Run it, feed its output to it, and return its exit status.

        Raises `run.ended_early()`, with every process of the run ended, once `run.over()`.
        """


class Feeder:
    """Writes an input to a command from a thread of its own, so that reading never waits for it."""

    def __init__(
        self, stdin: Input, *, write: Callable[[bytes], object], close: Callable[[], object]
    ) -> None:
        """Start to write; `close` is called after the last piece, whatever happens."""
        self.error: BaseException | None = None
        self._stdin, self._write, self._close = stdin, write, close
        threading.Thread(target=self._feed, name="transport-stdin", daemon=True).start()

    def _feed(self) -> None:
        given = pieces(self._stdin)
        try:
            while self._passed_on(given):
                pass
        finally:
            with suppress(Exception):  # the command may be gone, and its channel with it
                self._close()

    def _passed_on(self, given: object) -> bool:
        try:
            piece = next(given, None)  # type: ignore[call-overload]
        except BaseException as error:  # noqa: BLE001 - the caller's iterator; raised where it waits
            self.error = error
            return False
        if piece is None:
            return False
        try:
            self._write(piece)
        except Exception:  # noqa: BLE001 - a command may stop reading, or end, at any time
            return False
        return True
