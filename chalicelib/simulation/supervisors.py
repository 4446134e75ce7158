"""Supervisors: what runs an attempt on its machine, reports, and sends the result until answered.

A model of `chalicelib/supervisor`: a heart that beats beside the work, the container removed before
the result is sent, and an end only by an answer. Its calls cross a network that loses, repeats and
delays, and are served by Lambdas that run the real services.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any

from chalicelib.errors import FenceLostError, NotFoundError, StoreUnavailableError, TicketError
from chalicelib.fleet.protocol import AttemptPlan
from chalicelib.model import Outcome, OutputChunk, Report, Result, StepRecord, StepState
from chalicelib.simulation.boundary import Boundary
from chalicelib.simulation.engine import Actor
from chalicelib.simulation.lambdas import Lambdas

if TYPE_CHECKING:
    from chalicelib.simulation.hosts import Machine

__all__ = ["Office", "Supervisor"]

_LOST_ANSWERS = {FenceLostError.__name__, NotFoundError.__name__, TicketError.__name__}
_CLIENT_TIMEOUT_MS = 20_000
_FIRST_PAUSE_MS = 500
_LONGEST_PAUSE_MS = 5_000
_HOPELESS_TRIES = 6
_HOPELESS_PAUSE_MS = 25_000
"""The real one stays at 5 s, but its calls hang for 20 s in a bad outage."""
_SECOND_MS = 1000
_MOST_REPORTS = 3
_DRAWN = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.INFRASTRUCTURE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What supervisors know of the world.

    Attributes:
        boundary, lambdas: of the world.
        report: serves `POST …/report`: takes job, fence, ticket text, the report.
        end: serves `PUT …/result` likewise.
        told_lost: judges that the attempt was told to stop, as one that is not live.
        duration_ms: draws how long a build takes.
        weights: how likely it is to succeed, to fail, to end for an infrastructure reason.
    """

    boundary: Boundary
    lambdas: Lambdas
    report: Callable[[str, int, str, Report], bool]
    end: Callable[[str, int, str, Result], None]
    told_lost: Callable[[tuple[str, int]], None]
    duration_ms: Callable[[], int]
    weights: tuple[int, int, int]


class _LostError(Exception):
    """The control plane says that the attempt is not the live one."""


class Supervisor:
    """One attempt's supervisor. `cancel` and `kill` come from its machine."""

    def __init__(self, machine: "Machine", office: Office, plan: AttemptPlan) -> None:
        self.attempt = (plan.job, plan.fence)
        self.ticket = plan.ticket
        self._machine = machine
        self._office = office
        self._heartbeat_ms = int(plan.supervisor["heartbeat_s"] * _SECOND_MS)
        self._limit_ms = int(plan.supervisor["time_limit_s"] * _SECOND_MS)
        name = f"{plan.job}-{plan.fence}"
        self._main = Actor(f"supervisor {name}")
        self._heart = Actor(f"heart {name}")
        self._lost = False
        self._cancelled = False
        self._over = False
        self._printed = [0, 0]

    def start(self) -> None:
        """Begin heart and work."""
        engine = self._office.boundary.engine
        engine.spawn(self._main, self._work, delay_ms=100)
        engine.spawn(self._heart, self._beat, delay_ms=100)

    def cancel(self) -> None:
        """Ask it to end."""
        self._cancelled = True
        self._office.boundary.engine.wake(self._main)

    def kill(self) -> None:
        """End it without asking."""
        for actor in (self._main, self._heart):
            self._office.boundary.engine.kill(actor)

    def crash(self) -> None:
        """Die, as of a bug or for want of memory: container and files stay."""
        self._machine.supervisors.pop(self.attempt, None)
        self._office.boundary.history.lost_touch([self.attempt])
        self.kill()

    def _work(self) -> None:
        office, random = self._office, self._office.boundary.random
        there = self.attempt in self._machine.containers
        duration_ms = office.duration_ms() if there else 0
        end_ms = office.boundary.engine.now_ms + min(duration_ms, self._limit_ms)
        if duration_ms > _FIRST_PAUSE_MS:
            for _ in range(random.randint(1, _MOST_REPORTS)):
                if not self._stopped():
                    office.boundary.engine.pause(random.randint(1, duration_ms // _MOST_REPORTS))
                    self._report_output()
        while not self._stopped() and office.boundary.engine.now_ms < end_ms:
            office.boundary.engine.pause(end_ms - office.boundary.engine.now_ms)
        self._machine.drop_container(self.attempt)
        if not self._lost:
            self._send_result(self._result(random, duration_ms))
        self._over = True
        self._machine.directories.pop(self.attempt, None)
        self._machine.supervisors.pop(self.attempt, None)
        office.boundary.engine.wake(self._heart)

    def _result(self, random: Random, duration_ms: int) -> Result:
        drawn = random.choices(_DRAWN, self._office.weights)[0]
        outcome = Outcome.TIMED_OUT if duration_ms > self._limit_ms else drawn
        if not duration_ms:  # there was no container
            outcome = Outcome.INFRASTRUCTURE
        if self._cancelled:
            outcome = Outcome.CANCELLED
        job, fence = self.attempt
        over = StepRecord(index=0, name="make", state=StepState.SUCCEEDED)
        return Result(outcome=outcome, reason=f"told by {job}-{fence}", steps=(over,))

    def _stopped(self) -> bool:
        return self._lost or self._cancelled

    def _beat(self) -> None:
        report = Report(heartbeat=True, steps=(), output=())
        while not self._over and not self._lost:
            try:
                self._report(report)
            except _LostError:
                self._lost = True
                self._office.boundary.engine.wake(self._main)
                return
            self._office.boundary.engine.pause(self._heartbeat_ms)

    def _report_output(self) -> None:
        runs = StepRecord(index=0, name="make", state=StepState.RUNNING)
        # Of two chunks of one step the product would write both at once, in threads of its own.
        steps = range(self._office.boundary.random.randint(1, len(self._printed)))
        output = tuple(self._print(step) for step in steps)
        try:
            self._report(Report(heartbeat=False, steps=(runs,), output=output))
        except _LostError:
            self._lost = True

    def _print(self, step: int) -> OutputChunk:
        """Return the step's next line, which no other attempt prints."""
        offset = self._printed[step]
        data = f"{self.attempt[0]}-{self.attempt[1]} at {offset}\n".encode()
        self._printed[step] += len(data)
        return OutputChunk(step=step, offset=offset, data=data)

    def _report(self, report: Report) -> None:
        office, (job, fence) = self._office, self.attempt
        cancelling = self._call("report", lambda: office.report(job, fence, self.ticket, report))
        if cancelling and not self._cancelled:
            self.cancel()

    def _send_result(self, result: Result) -> None:
        office, (job, fence) = self._office, self.attempt
        try:
            self._call("end_attempt", lambda: office.end(job, fence, self.ticket, result))
        except _LostError:
            self._lost = True

    def _call(self, name: str, serve: Callable[[], Any]) -> Any:
        """Send the same until it is answered, or the attempt is lost, or over."""
        boundary, pause_ms = self._office.boundary, _FIRST_PAUSE_MS
        for tries in count():
            try:
                answer = boundary.call(
                    "http",
                    f"{name} {self.attempt[0]}-{self.attempt[1]}",
                    lambda: self._served(name, serve),
                    _no_answer,
                )
            except StoreUnavailableError:
                if self._given_up(name):
                    raise _LostError from None
                boundary.engine.pause(boundary.random.randint(pause_ms // 2, pause_ms))
                pause_ms = min(pause_ms * 2, _LONGEST_PAUSE_MS)
                if tries > _HOPELESS_TRIES:
                    pause_ms = _HOPELESS_PAUSE_MS
            else:
                return answer
        raise AssertionError("it has no end but an answer")

    def _cut_off(self) -> bool:
        return not self._machine.connected

    def _given_up(self, name: str) -> bool:
        return self._lost or (self._over and name == "report")

    def _served(self, name: str, serve: Callable[[], Any]) -> Any:
        """Return what the control plane answers, at the latest when the client's patience ends."""
        engine = self._office.boundary.engine
        if self._cut_off():
            raise _no_answer()
        caller = engine.current
        until_ms = engine.now_ms + _CLIENT_TIMEOUT_MS
        invocation = self._office.lambdas.invoke(
            name, serve, limit_s=30, attempt=self.attempt, caller=caller
        )
        while not invocation.over and engine.now_ms < until_ms:
            engine.pause(until_ms - engine.now_ms)
        if self._cut_off() or not invocation.over:
            raise _no_answer()
        if invocation.error in _LOST_ANSWERS:
            self._office.told_lost(self.attempt)
            raise _LostError
        if invocation.error:
            raise _no_answer()
        return invocation.answer


def _no_answer() -> Exception:
    return StoreUnavailableError(reason="the control plane did not answer")
