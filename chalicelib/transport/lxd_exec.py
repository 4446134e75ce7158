"""One command in a container of LXD: from the request to its exit status.

How LXD 5.0.2 does it (its source, and measured): it starts the command once the websockets of all
its streams are there, closes the control one when the command's main process has ended, and kills
that process when the control one goes away. API:
https://documentation.ubuntu.com/lxd/stable-5.0/api/#/instances/instance_exec_post
"""

import json
import select
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

from chalicelib.errors import BerthError, ConnectionLostError, HostUnreachableError
from chalicelib.transport.lxd import LxdTarget
from chalicelib.transport.lxd_errors import FOREIGN, reason_of, translated
from chalicelib.transport.lxd_script import MarkedStream, marking
from chalicelib.transport.lxd_websocket import Stream
from chalicelib.transport.protocol import StreamName
from chalicelib.transport.run import Feeder, Run
from chalicelib.transport.tree import MARK

__all__ = ["Container", "Exec", "started"]

_ANSWER_S = 30.0
_REASON_S = 5
_FED_S = 0.1
"""How soon an error of the caller's input is seen."""
_NO_SHELL = ("Command not found", "Command not executable")
"""LXD's words for statuses 127 and 126 of what it starts itself."""
_CONTROL, _STDIN = "control", "0"
_OUTPUTS: dict[str, StreamName] = {"1": "stdout", "2": "stderr"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """Where commands run, and the client through which.

    Attributes:
        requesting: one request at a time: pylxd's pool has one connection to a path, and drops
            those above with a warning in the log.
    """

    client: Any
    target: LxdTarget
    host: str
    requesting: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def started(container: Container, run: Run) -> Iterator["Exec"]:
    """Start the run's command; at the end of the block its connections are closed, and it with them.

    Raises:
        HostUnreachableError: LXD did not start it.
        ConnectionLostError: LXD may have started it.
    """
    operation, secrets = _requested(container, run)
    streams: dict[str, Stream] = {}
    try:
        # The control one goes first, so that the command ends with us whenever that is. With the
        # last one LXD starts.
        for name in (_CONTROL, *_OUTPUTS, _STDIN):
            resource = f"{operation}/websocket?secret={secrets[name]}"
            try:
                streams[name] = Stream(container.client, resource, answer_s=_ANSWER_S)
            except FOREIGN as error:
                sent = name == _STDIN
                raise translated(error, host=container.host, sent=sent) from error
        yield Exec(container, run, operation, streams)
    finally:
        for stream in streams.values():
            stream.drop()


def _requested(container: Container, run: Run) -> tuple[str, Mapping[str, str]]:
    """Return the operation that LXD made for the command, and the secrets of its streams."""
    left_s = run.left_s()
    limit_s = _ANSWER_S if left_s is None else max(0.01, min(left_s, _ANSWER_S))
    body = {
        "command": marking(run.token, run.invocation.arguments),
        "environment": {**container.target.environment, MARK: run.token},
        "wait-for-websocket": True,
        "interactive": False,
    }
    node = container.client.api.instances[container.target.container]["exec"]
    query = {"project": container.target.project}
    try:
        with _turn(container.requesting, limit_s):
            answer = node.post(json=body, params=query, timeout=limit_s).json()
        path = answer["operation"].partition("?")[0]
        return path, answer["metadata"]["metadata"]["fds"]
    except FOREIGN as error:
        if run.over():
            raise run.ended_early() from error
        raise translated(error, host=container.host, sent=False) from error
    except (KeyError, TypeError, AttributeError) as error:
        reason = f"an answer that is not LXD's: {error!r}"
        raise HostUnreachableError(host=container.host, reason=reason) from error


@contextmanager
def _turn(lock: threading.Lock, limit_s: float) -> Iterator[None]:
    if not lock.acquire(timeout=limit_s):
        raise TimeoutError("LXD does not answer those who asked before")
    try:
        yield
    finally:
        lock.release()


class Exec:
    """A command that LXD runs."""

    def __init__(
        self, container: Container, run: Run, operation: str, streams: Mapping[str, Stream]
    ) -> None:
        self._container = container
        self._run = run
        self._operation = operation
        self._control = streams[_CONTROL]
        self._stdin = streams[_STDIN]
        self._outputs = {streams[fd]: name for fd, name in _OUTPUTS.items()}
        self._marked = {stream: MarkedStream(run.token) for stream in self._outputs}
        self._last_sign = time.monotonic()

    def pump(self) -> int:
        """Return the exit status, having passed on all that was printed before the end.

        Raises:
            ConnectionLostError: LXD or the container went away.
            CommandError: it has to be ended, see `Run.over`. It still runs.
        """
        run, feeder = self._run, self._fed()
        longest_s = self._container.target.alive_s if feeder is None else _FED_S
        watched = [self._control, *self._outputs]
        if not self._stdin.secure:
            watched.append(self._stdin)
        streams = {stream.fileno(): stream for stream in watched}
        poll = select.poll()
        for fd in streams:
            poll.register(fd, select.POLLIN)
        while True:
            ready = [fd for fd, _ in poll.poll(_milliseconds(run.pause_s(longest_s)))]
            for stream in map(streams.__getitem__, ready):
                self._read(stream)
                if stream.ended:
                    poll.unregister(stream)
            status = self._status()
            if status is not None:
                return status
            _check(run, feeder)
            if not ready:
                self._check_life()

    def kill(self) -> None:
        """Send SIGKILL to the main process, the shell around the command; nothing if LXD is gone."""
        with suppress(*FOREIGN):
            self._control.write_text(json.dumps({"command": "signal", "signal": 9}))

    def _fed(self) -> Feeder | None:
        if self._run.invocation.stdin is None:
            with suppress(*FOREIGN):  # it has ended already, or the loop will see why not
                self._stdin.write_text("")
            return None
        end = self._stdin
        return Feeder(self._run.invocation.stdin, write=end.write, close=lambda: end.write_text(""))

    def _read(self, stream: Stream) -> None:
        self._last_sign = time.monotonic()
        if stream is self._stdin:
            stream.discard()
            return
        data = stream.read()
        if stream in self._outputs:
            marked = self._marked[stream]
            found = marked.take(data)
            if stream.ended:
                found += marked.rest()
            self._run.feed(self._outputs[stream], found)

    def _status(self) -> int | None:
        """The exit status, once both streams have come to their marks."""
        known = [marked.status for marked in self._marked.values()]
        if None not in known:
            return known[0]
        for stream, marked in self._marked.items():
            if stream.ended and marked.status is None:
                raise self._end_without_status()
        return None

    def _check_life(self) -> None:
        if time.monotonic() - self._last_sign < self._container.target.alive_s:
            return
        if self._control.ended:
            raise self._lost(
                "the shell around the command was killed, and something holds its output"
            )
        if self._control.unanswered:
            raise self._lost(
                f"LXD gave no sign of life for {2 * self._container.target.alive_s:g} s"
            )
        self._last_sign = time.monotonic()
        self._control.ask_for_life()

    def _end_without_status(self) -> BerthError:
        """Ask LXD why that is; it forgets an operation five seconds after its end."""
        node = self._container.client.api.operations[self._operation.rpartition("/")[2]].wait
        try:
            # Waits, since the reason comes a moment later than the streams' ends.
            answer = node.get(params={"timeout": str(_REASON_S)}, timeout=_ANSWER_S).json()
            found = cast("Mapping[str, Any]", answer["metadata"])
        except (*FOREIGN, KeyError) as error:
            return self._lost(reason_of(error))
        if found.get("err") in _NO_SHELL:
            return HostUnreachableError(host=self._container.host, reason="it has no /bin/sh")
        status = (found.get("metadata") or {}).get("return")
        killed = "the command was killed, and the shell around it: was the container stopped?"
        return self._lost(found.get("err") or f"{killed} (status {status})")

    def _lost(self, reason: str) -> BerthError:
        host = self._container.host
        return ConnectionLostError(host=host, reason=reason, may_have_run=True)


def _check(run: Run, feeder: Feeder | None) -> None:
    if feeder is not None and feeder.error is not None:
        raise feeder.error
    if run.over():
        raise run.ended_early()


def _milliseconds(seconds: float | None) -> int | None:
    # Rounded up: a poll of 0 ms right before the deadline would spin.
    return None if seconds is None else int(seconds * 1000) + 1
