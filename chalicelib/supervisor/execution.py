"""Pumps one command's output out of LXD and finds out how it ended.

One thread, one `poll`: stdout and stderr are merged in order of arrival, and a slow disk slows the
command instead of filling memory. How LXD 5.0 behaves (read in its source): the control websocket
closes when the command's main process ends; the operation ends, and with it comes the exit status,
only when both output pipes are at their end, which a process left in the background can delay for
ever. `Leftovers` resolves that.
"""

from __future__ import annotations

import http.client
import json
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.supervisor.faults import InfrastructureError
from chalicelib.supervisor.leftovers import Leftovers
from chalicelib.supervisor.lxd import Exec, LxdError
from chalicelib.supervisor.websocket import TEXT, WebSocket

__all__ = ["Ended", "Execution", "Watch"]

_TURN_MS = 100
_QUIET_S = 0.3  # main process gone and nothing comes: only background processes hold the pipes
_CHATTY_S = 1.5  # the same for one that prints on: what the main process left is read by then
_ADOPTION_S = 5.0
_KILLED_GRACE_S = 5.0
_DRAIN_S = 5.0
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR


@dataclass(frozen=True)
class Watch:
    """What happens beside a command.

    Attributes:
        sink: takes the output; may block.
        halted: whether the whole attempt stops: the command is abandoned at once, since its
            container is about to be deleted.
        silence_limit_s: the command is killed after that long without output.
        kill: ends the command's whole process tree; blocks.
        leftovers: takes the output pipes over from LXD when only background processes hold them.
    """

    sink: Callable[[bytes], None]
    halted: Callable[[], bool]
    silence_limit_s: float
    kill: Callable[[], bool]
    leftovers: Leftovers


@dataclass(frozen=True)
class Ended:
    """How a command ended. `status` is None when it was abandoned or LXD never said."""

    status: int | None
    silent: bool = False


class Execution:
    """One command under way."""

    def __init__(self, streams: Exec, watch: Watch) -> None:
        self._streams = streams
        self._watch = watch
        self._last_output = time.monotonic()
        self._main_ended: float | None = None
        self._killer: threading.Thread | None = None
        self._killed_at: float | None = None
        self._silent = False
        self._poll = select.poll()
        self._open: dict[int, WebSocket] = {}

    def run(self) -> Ended:
        """Return how the command ended, after all its output went to the sink.

        Raises:
            LxdError: LXD died or could not run the command.
            InfrastructureError: the sink failed.
        """
        try:
            return self._run()
        finally:
            self._streams.close()
            self._watch.leftovers.drain()

    def _run(self) -> Ended:
        self._streams.stdin.send(TEXT)  # the empty text message: its stdin is at its end
        wait = self._streams.wait.sock
        self._poll.register(wait, _READABLE)
        for stream in (self._streams.stdout, self._streams.stderr, self._streams.control):
            self._open[stream.sock.fileno()] = stream
            self._poll.register(stream.sock, _READABLE)
            if stream.has_early:
                self._read(stream)
        while not self._turn(wait.fileno()):
            if self._watch.halted() or self._kill_was_useless():
                return Ended(None, silent=self._silent)
        status = self._status()
        self._drain()
        if self._killer is not None:
            self._killer.join()  # what it still hunts must be gone before the next step begins
        return Ended(status, silent=self._silent)

    def _turn(self, wait: int) -> bool:
        """Handle what is readable; return whether LXD has said how the command ended."""
        ready = [descriptor for descriptor, _ in self._poll.poll(_TURN_MS)]
        for descriptor in ready:
            stream = self._open.get(descriptor)
            if stream is not None:
                self._read(stream)
        if wait in ready:
            return True
        self._check_silence()
        self._check_leftovers()
        return False

    def _read(self, stream: WebSocket) -> None:
        frames = stream.receive()
        if stream is self._streams.control:
            if stream.closed:
                self._main_ended = time.monotonic()
                self._forget(stream)
            return
        for frame in frames:
            if frame.payload:
                self._take(frame.payload)
            elif frame.opcode == TEXT:
                self._forget(stream)
        if stream.closed:
            self._forget(stream)

    def _take(self, data: bytes) -> None:
        self._last_output = time.monotonic()
        try:
            self._watch.sink(data)
        except OSError as error:
            msg = f"output cannot be stored: {error}"
            raise InfrastructureError(msg) from error

    def _forget(self, stream: WebSocket) -> None:
        if self._open.pop(stream.sock.fileno(), None) is not None:
            self._poll.unregister(stream.sock)

    def _check_silence(self) -> None:
        silent_s = time.monotonic() - self._last_output
        if silent_s >= self._watch.silence_limit_s and self._main_ended is None:
            self._silent = True
            self._begin_kill()

    def _begin_kill(self) -> None:
        # In its own thread: a process that prints while it dies must not wait for us.
        if self._killer is None:
            self._killer = threading.Thread(target=self._watch.kill, name="killer", daemon=True)
            self._killer.start()

    def _kill_was_useless(self) -> bool:
        if self._killer is None or self._killer.is_alive():
            return False
        if self._killed_at is None:
            self._killed_at = time.monotonic()
        return time.monotonic() - self._killed_at > _KILLED_GRACE_S

    def _check_leftovers(self) -> None:
        if self._main_ended is None or self._killer is not None:
            return
        now = time.monotonic()
        since = now - self._main_ended
        if since < _CHATTY_S and now - max(self._last_output, self._main_ended) < _QUIET_S:
            return
        self._watch.leftovers.adopt(self._release)
        if since > _ADOPTION_S:
            self._begin_kill()

    def _release(self) -> None:
        for stream in (self._streams.stdout, self._streams.stderr):
            self._forget(stream)
            stream.shut()

    def _status(self) -> int:
        try:
            payload = self._streams.wait.getresponse().read()
            operation = json.loads(payload)["metadata"]
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            msg = f"LXD broke off while a command ran: {error!r}"
            raise LxdError(msg) from error
        status = (operation.get("metadata") or {}).get("return")
        if not isinstance(status, int) or status < 0:
            msg = f"LXD could not run the command: {operation.get('err') or 'no reason given'}"
            raise LxdError(msg)
        return status

    def _drain(self) -> None:
        """Read what is still in the sockets, up to LXD's end marks."""
        deadline = time.monotonic() + _DRAIN_S
        outputs = (self._streams.stdout, self._streams.stderr)
        while any(stream.sock.fileno() in self._open for stream in outputs):
            if time.monotonic() > deadline:
                return
            for descriptor, _ in self._poll.poll(_TURN_MS):
                stream = self._open.get(descriptor)
                if stream is not None:
                    self._read(stream)
                    deadline = time.monotonic() + _DRAIN_S
