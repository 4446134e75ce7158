"""Runs commands on a host that we have no connection to: its agent fetches them from AWS.

Run Command (https://docs.aws.amazon.com/systems-manager/latest/userguide/run-command.html) takes a
script and keeps the beginning of what it prints. What it lacks is made up for here and in
`ssm_script`: a command runs once however often it is delivered, its output is whole and is bytes,
its input comes through a bucket, and it is ended with all that it started.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from tempfile import SpooledTemporaryFile
from typing import IO

from chalicelib.clock import Clock
from chalicelib.errors import (
    ConnectionLostError,
    HostUnreachableError,
    NotReadyError,
    RetryableError,
    ShellError,
    TransportSettingError,
)
from chalicelib.shell import Node, explain, render
from chalicelib.transport.invocation import pieces
from chalicelib.transport.protocol import StreamName
from chalicelib.transport.run import Driver, Feeder, Run
from chalicelib.transport.ssm_bucket import Bucket
from chalicelib.transport.ssm_calls import RunCommand, SsmClient, State, Timing
from chalicelib.transport.ssm_script import (
    REFUSED,
    UNFETCHED,
    Report,
    Script,
    fetched,
    inline,
    read_report,
)
from chalicelib.transport.tree import end_tree

__all__ = ["SsmTransport"]

_FOLDER = "/var/lib/berth/commands"
_INLINE_BYTES = 16 * 1024
_IN_MEMORY_BYTES = 4 * 1024 * 1024
_LONGEST_SCRIPT_BYTES = 60_000
"""Room for a document of 64 KB, which is the limit behind MaxDocumentSizeExceeded."""
_LISTEN = timedelta(seconds=0.05)
"""How soon it is heard that a run has to be ended."""
_URL_SPARE_S = 180
"""What a host may take from when it has the script until it has the input."""
_NO_BUCKET = "give SsmTransport a bucket="


class SsmTransport(Driver):
    """An EC2 instance or another managed node, by its agent, as the agent's user: root.

    Nothing comes back before a command has ended, so `on_output` gets all of stdout, then all of
    stderr. A command takes a second at the least. An agent runs five at a time, others wait there
    (`Mds.CommandWorkersLimit` in https://github.com/aws/amazon-ssm-agent, README.md).

    With a bucket every input goes through it. Without one, an input of up to 16 KiB is part of the
    request, where whoever may list commands can read it; a command that holds a `Secret` is
    refused, and so is output that does not fit into 24,000 characters of base64.

    A host that is off is given up after `Timing.delivery`, unless SSM says that the command is in
    progress: that it says of some that are still under way, too, so only `timeout_s` ends the wait.

    Who runs this may do `ssm:SendCommand` (on the document and the instance), `GetCommandInvocation`
    and `CancelCommand`; and `s3:PutObject`, `GetObject` and `DeleteObject` below the prefix.

    Beside the errors of `run`, a `TransportSettingError` says what AWS or this object lacks.
    """

    def __init__(
        self,
        instance: str,
        *,
        ssm: SsmClient | None = None,
        bucket: Bucket | None = None,
        timing: Timing | None = None,
        folder: str = _FOLDER,
        facts: Iterable[str] = (),
    ) -> None:
        """Remember how the host is reached.

        Args:
            instance: `i-…` or `mi-…`.
            ssm: boto3's SSM client. Default: one is made when it is needed.
            bucket: what input and long output go through. Default: none.
            timing: how long to wait for what.
            folder: where the host keeps one folder for each run with what it printed, for three days
                after its end; made when missing, with mode 0700.
            facts: what is known of its system, for script functions.
        """
        self.host = instance
        self.facts = frozenset(facts)
        self._bucket = bucket
        self._timing = timing or Timing()
        self._folder = folder
        self._commands = RunCommand(instance, client=ssm, timing=self._timing)

    def perform(self, run: Run) -> int:
        """Have it run once; return its status when it has ended, or end it."""
        clock = _Listening(self._timing.clock, run)
        with self._input(run) as stdin:
            if run.over():
                raise run.ended_early()
            script = Script(
                arguments=run.invocation.arguments, token=run.token, base=self._folder, stdin=stdin
            )
            state = self._outcome(script, run, clock)
        if state is None:
            raise run.ended_early()
        return self._passed_on(self._report(state, run), run)

    def _outcome(self, script: Script, run: Run, clock: Clock) -> State | None:
        """Return how the command ended; None when it was time to end it, which is done then."""
        command = None
        try:
            command = self._send(script.starting(), run.left_s(), clock)
            state = self._ended(command, run, clock)
        except RetryableError:
            if not run.over():
                raise
            state = None
        except (KeyboardInterrupt, SystemExit):
            self._end(run, command)
            raise
        if state is None:
            self._end(run, command)
        return state

    def _send(self, node: Node, limit_s: float | None, clock: Clock) -> str:
        text = render(node)
        if len(text.encode()) > _LONGEST_SCRIPT_BYTES:
            reason = (
                f"more than {_LONGEST_SCRIPT_BYTES} bytes with quotes: too long for Run Command"
            )
            raise ShellError(reason=reason)
        return self._commands.send(text, limit_s=limit_s, bucket=self._bucket, clock=clock)

    def _ended(self, command: str, run: Run, clock: Clock) -> State | None:
        """Wait until the command is over; None when the run is over before."""
        sent = clock.now()
        arrived = False

        def look() -> State | None:
            nonlocal arrived
            if run.over():
                return None
            state = self._commands.state(command, bucket=self._bucket, clock=clock)
            if state.waiting and clock.now() - sent > self._timing.delivery:
                state = self._given_up(command)
            # Even `DeliveryTimedOut` may come after it has started: "If a command expires, it changes
            # status to DeliveryTimedOut for all invocations that have the status InProgress, Pending,
            # or Delayed", https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_Command.html
            arrived = arrived or not (state.waiting or state.over)
            return replace(state, started=state.started or arrived)

        policy = replace(self._timing.poll, success=lambda state: state is None or state.over)
        return policy.wait(look, clock=clock, random=self._timing.random)

    def _given_up(self, command: str) -> State:
        """Take back a command that has not reached the host; return what came of it in the end.

        SSM's own delivery time-out is of no use: it comes after TimeoutSeconds and executionTimeout
        together (https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html).
        """
        clock = self._timing.clock
        self._commands.cancel(command, clock=clock)
        return self._settled(command, clock.now())

    def _settled(self, command: str, since: datetime) -> State:
        clock = self._timing.clock
        policy = replace(
            self._timing.poll,
            timeout=since + self._timing.ending - clock.now(),
            success=lambda state: state.over,
        )
        try:
            return policy.wait(
                lambda: self._commands.state(command, bucket=self._bucket, clock=clock),
                clock=clock,
                random=self._timing.random,
            )
        except NotReadyError as error:
            raise self._lost("a command that was cancelled has not ended") from error

    def _report(self, state: State, run: Run) -> Report:
        """Return what the host said of the run.

        Raises:
            HostUnreachableError: nothing ran.
            ConnectionLostError: it ran, or may have, and is ended; there is no result.
        """
        report = self._whole(state, run.token)
        if report is None and state.started:
            # Whatever ended the script has left the command, which has a session of its own.
            self._end(run, None)
            if run.over():
                raise run.ended_early()
            raise self._lost(f"Run Command ended without a result: {_said(state)}")
        if report is None:
            raise HostUnreachableError(host=self.host, reason=f"not delivered: {_said(state)}")
        if report.word == REFUSED:
            reason = f"cannot use {self._folder}: {state.stderr.strip()}"
            raise HostUnreachableError(host=self.host, reason=reason)
        if report.word == UNFETCHED:
            told = report.stderr.decode(errors="replace").strip()
            reason = f"cannot fetch the command's input: {told}"
            raise HostUnreachableError(host=self.host, reason=reason)
        if not report.whole:
            reason = f"exit status {report.word}, but its output does not fit: {_NO_BUCKET}"
            raise TransportSettingError(host=self.host, reason=reason)
        return report

    def _whole(self, state: State, token: str) -> Report | None:
        """Return the report, from the bucket if it is longer than what SSM keeps."""
        report = read_report(state.stdout, token)
        if self._bucket is None or report is None:
            return report
        try:
            if not report.whole:
                text = self._bucket.read(state.key, host=self.host).decode(errors="replace")
                report = read_report(text, token)
        except TransportSettingError as error:
            reason = f"the agent's upload is missing, may its role put objects? {error.reason}"
            raise TransportSettingError(host=self.host, reason=reason) from error
        finally:
            self._bucket.discard(state.key)
        return report

    def _passed_on(self, report: Report, run: Run) -> int:
        outputs: list[tuple[StreamName, bytes]] = [
            ("stdout", report.stdout),
            ("stderr", report.stderr),
        ]
        for stream, output in outputs:
            for piece in pieces(output):
                run.feed(stream, piece)
        return int(report.word)

    def _end(self, run: Run, command: str | None) -> None:
        """End all that the run has started, keep it from starting, and take what it has printed.

        First the command is cancelled: that takes it back if it has not been delivered, and frees
        one of the agent's five places for the script that ends the rest.

        Raises:
            ConnectionLostError: the host has not said that all is ended.
        """
        clock = self._timing.clock
        script = Script(arguments=self._ending(run), token=run.token, base=self._folder)
        try:
            if command is not None:
                self._commands.cancel(command, clock=clock)
            limit_s = self._timing.ending.total_seconds()
            ending = self._send(script.ending(), limit_s, clock)
            report = self._whole(self._settled(ending, clock.now()), run.token)
        except RetryableError as error:
            raise self._lost(f"a run that is to end may go on: {error}") from error
        if report is None or not report.word.isdigit():
            raise self._lost("a run that is to end may go on: the host did not say that it ended")
        self._passed_on(report, run)

    def _ending(self, run: Run) -> tuple[str, ...]:
        node = run.call.reached(end_tree(run.token))
        text = render(node, facts=self.facts)
        if text != explain(node, facts=self.facts):
            raise ShellError(reason="a wrapper's way to its user must not hold a secret")
        return ("/bin/sh", "-c", text)

    @contextmanager
    def _input(self, run: Run) -> Iterator[Node | None]:
        """Have the command's input where the host can get it, as long as the block runs.

        Yields:
            What fetches it; None when it is empty.
        """
        if run.invocation.stdin is None:
            yield None
            return
        if self._bucket is None and run.invocation.fed:
            reason = f"a command that is long or holds a secret takes a bucket: {_NO_BUCKET}"
            raise TransportSettingError(host=self.host, reason=reason)
        with SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as content:
            size = _collected(run, content)
            if not size or self._bucket is None:
                yield self._inline(content.read()) if size else None
                return
            key = self._bucket.add(content, host=self.host)
        try:
            valid_s = round(self._timing.delivery.total_seconds()) + _URL_SPARE_S
            yield fetched(self._bucket.url(key, valid_s=valid_s, host=self.host))
        finally:
            self._bucket.discard(key)

    def _inline(self, content: bytes) -> Node:
        if len(content) > _INLINE_BYTES:
            reason = f"an input of more than {_INLINE_BYTES} bytes takes a bucket: {_NO_BUCKET}"
            raise TransportSettingError(host=self.host, reason=reason)
        return inline(content)

    def _lost(self, reason: str) -> ConnectionLostError:
        return ConnectionLostError(host=self.host, reason=reason, may_have_run=True)


@dataclass(frozen=True, slots=True)
class _Listening:
    """A clock whose sleep ends when the run is over."""

    clock: Clock
    run: Run

    def now(self) -> datetime:
        """Return the clock's time."""
        return self.clock.now()

    def sleep(self, duration: timedelta) -> None:
        """Sleep for `duration`, or until the run is over."""
        end = self.now() + duration
        while not self.run.over() and (left := end - self.now()) > timedelta(0):
            self.clock.sleep(min(left, _LISTEN))


def _collected(run: Run, content: IO[bytes]) -> int:
    """Put the whole input into the file, and return its size; the file is at its beginning."""
    done = threading.Event()
    feeder = Feeder(run.invocation.stdin, write=content.write, close=done.set)
    while not done.wait(run.pause_s(_LISTEN.total_seconds())):
        if run.over():
            raise run.ended_early()
    if feeder.error is not None:
        raise feeder.error
    size = content.tell()
    content.seek(0)
    return size


def _said(state: State) -> str:
    return ": ".join(filter(None, [state.details or state.status, state.stderr.strip()]))
