"""Looking at a host and changing it, over whatever transport reaches it.

    facts = look(spec, transport)           one round trip; changes nothing
    plan = make_plan(spec, facts)           pure
    report = carry_out(plan, transport)     one round trip

`apply` does all three. Commands run as the transport's user, which has to be root for most of what
a spec can say: wrap the transport in `Sudo` where it is not.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import TypedDict, Unpack

from chalicelib.clock import Clock, SteadyClock
from chalicelib.errors import HostBusyError, HostSpecError
from chalicelib.hostspec.facts import Ask, Facts, gather_script, read_facts
from chalicelib.hostspec.frames import Frame, Framing
from chalicelib.hostspec.plan import Plan, PlannedChange, asks, make_plan
from chalicelib.hostspec.redaction import redacted
from chalicelib.hostspec.report import Outcome, Report, ResourceOutcome
from chalicelib.hostspec.script import apply_script, commands_of
from chalicelib.hostspec.spec import Spec
from chalicelib.shell import chosen, explain
from chalicelib.transport import Chunk, Transport
from chalicelib.wait import wait_for

__all__ = ["OnOutcome", "apply", "ask_host", "audit", "carry_out", "look"]

OnOutcome = Callable[[ResourceOutcome], object]
"""Is told what became of a resource, as soon as it is known."""
_LOOK_LIMIT = timedelta(minutes=2)
_APPLY_LIMIT = timedelta(minutes=30)
_LOCK_PAUSE = timedelta(seconds=1)
_TAIL_LINES = 20
_NO_TIME = timedelta(0)


def look(spec: Spec, transport: Transport, *, limit: timedelta = _LOOK_LIMIT) -> Facts:
    """Return what the host answers to all that the spec asks, in one round trip. Changes nothing.

    Raises:
        HostSpecError: the host's answer is not whole.
        CommandTimeoutError: it took longer than `limit`.
        RetryableError, OperatorError: as `Transport.run`.
    """
    return ask_host(asks(spec), transport, limit=limit)


def ask_host(
    questions: Iterable[Ask[object]], transport: Transport, *, limit: timedelta = _LOOK_LIMIT
) -> Facts:
    """Return what the host answers to these questions; as `look`."""
    questions, mark = tuple(questions), _mark()
    asking = gather_script(questions, mark=mark)
    result = transport.run(asking, timeout_s=limit.total_seconds())
    return read_facts(questions, result.stdout, mark=mark, host=transport.host)


def audit(spec: Spec, transport: Transport, *, limit: timedelta = _LOOK_LIMIT) -> Plan:
    """Return what an apply would do: the drift of the host from its spec. Changes nothing.

    Raises:
        as `look`.
    """
    return make_plan(spec, look(spec, transport, limit=limit))


def apply(  # noqa: PLR0913 - how it is told, timed, and who waits
    spec: Spec,
    transport: Transport,
    *,
    on_outcome: OnOutcome = lambda _: None,
    limit: timedelta = _APPLY_LIMIT,
    lock_wait: timedelta = _NO_TIME,
    owner: str = "berth",
    clock: Clock | None = None,
) -> Report:
    """Make the host what the spec says, and return what became of each resource.

    Safe to repeat, and to run again after it was cut short anywhere: what is done is not done
    again, what is not is. A resource that fails stops those that depend on it and no others.

    Args:
        spec: what the host must look like.
        transport: reaches the host, as root.
        on_outcome: is told of each resource while it happens.
        limit: after this time the script on the host is ended.
        lock_wait: how long to wait while somebody else applies. Default: not at all.
        owner: who applies, for those who find the host busy.
        clock: measures and waits.

    Raises:
        HostBusyError: somebody else applies; says who and for how long.
        HostSpecError: the host's answer is not whole.
        CommandTimeoutError: it took longer than `limit`.
        RetryableError, OperatorError: as `Transport.run`.
    """
    clock = clock or SteadyClock()
    began = clock.now()
    plan = audit(spec, transport)
    report = carry_out(
        plan,
        transport,
        on_outcome=on_outcome,
        limit=limit,
        lock_wait=lock_wait,
        owner=owner,
        clock=clock,
    )
    return replace(report, elapsed=clock.now() - began)


def carry_out(  # noqa: PLR0913 - as `apply`
    plan: Plan,
    transport: Transport,
    *,
    on_outcome: OnOutcome = lambda _: None,
    limit: timedelta = _APPLY_LIMIT,
    lock_wait: timedelta = _NO_TIME,
    owner: str = "berth",
    clock: Clock | None = None,
) -> Report:
    """Do what is planned, in one round trip, and return what became of each resource.

    An empty plan does not go to the host at all. Arguments and errors as `apply`.
    """
    clock = clock or SteadyClock()
    if plan.empty:
        return _Following(plan, transport, on_outcome, clock).report()

    def once() -> Report:
        return _run(plan, _Following(plan, transport, on_outcome, clock), limit, owner)

    if lock_wait <= _NO_TIME:
        return once()
    return wait_for(once, clock=clock, sleep=_LOCK_PAUSE, timeout=lock_wait, catch=HostBusyError)


def _run(plan: Plan, following: "_Following", limit: timedelta, owner: str) -> Report:
    mark = _mark()
    working = apply_script(plan, mark=mark, owner=" ".join(owner.split()))
    # The host's own answer counts, not what the transport was told of it.
    working = chosen(working, plan.system.facts)
    framing = Framing(mark)

    def take(chunk: Chunk) -> None:
        if chunk.stream == "stdout":
            for frame in framing.feed(chunk.data):
                following.take(frame)

    host = following.transport
    result = host.run(working, timeout_s=limit.total_seconds(), on_output=take, check=False)
    following.ended(result.exit_status, framing.rest + result.stderr)
    return following.report()


def _mark() -> str:
    return f"berth-{secrets.token_hex(8)}"


class _Told(TypedDict, total=False):
    because: tuple[str, ...]
    command: str
    exit_status: int | None
    tail: str


class _Following:
    """Makes outcomes of an apply script's frames."""

    def __init__(
        self, plan: Plan, transport: Transport, on_outcome: OnOutcome, clock: Clock
    ) -> None:
        self.transport = transport
        self._plan = plan
        self._work = plan.work
        self._on_outcome = on_outcome
        self._clock = clock
        self._found: dict[str, ResourceOutcome] = {}
        self._began = clock.now()
        self._at = 0

    def take(self, frame: Frame) -> None:
        """Take the next frame.

        Raises:
            HostBusyError: it says that the lock is taken.
        """
        match frame.words:
            case ("busy", now, *words):
                raise self._busy(now, words)
            case ("begin", _):
                self._began, self._at = self._clock.now(), -1
            case ("at", _, place):
                self._at = int(place)
            case ("end", number, status):
                self._ended(self._work[int(number)], int(status), frame.before)
            case ("skip", number):
                change = self._work[int(number)]
                self._tell(change, Outcome.SKIPPED, because=self._failed(change))
            case _:
                raise HostSpecError(
                    host=self.transport.host, reason=f"the script said {' '.join(frame.words)!r}"
                )

    def ended(self, status: int, said: bytes) -> None:
        """Take note that the script is over, also for what it did not come to.

        Raises:
            HostSpecError: it failed before the first resource.
        """
        left = [each for each in self._work if each.resource.name not in self._found]
        if left and not self._found:
            reason = f"the script ended with status {status}: {_tail(said)}"
            raise HostSpecError(host=self.transport.host, reason=reason)
        for change in left:
            because = self._failed(change)
            if because:
                self._tell(change, Outcome.SKIPPED, because=because)
            else:
                tail = redacted(_tail(said), change.resource)
                self._tell(change, Outcome.FAILED, exit_status=None, tail=tail)

    def report(self) -> Report:
        """Return what is known of all resources."""
        outcomes = tuple(
            self._found.get(each.resource.name)
            or ResourceOutcome(
                name=each.resource.name, operation=each.operation, outcome=Outcome.UNCHANGED
            )
            for each in self._plan.changes
        )
        return Report(host=self.transport.host, outcomes=outcomes)

    def _ended(self, change: PlannedChange, status: int, said: bytes) -> None:
        if status == 0:
            self._tell(change, Outcome.DONE, because=change.because)
            return
        commands = commands_of(change)
        failed = commands[self._at] if 0 <= self._at < len(commands) else None
        command = explain(failed, facts=self._plan.system.facts) if failed else ""
        tail = redacted(_tail(said), change.resource)
        self._tell(change, Outcome.FAILED, command=command, exit_status=status, tail=tail)

    def _failed(self, change: PlannedChange) -> tuple[str, ...]:
        return tuple(
            sorted(
                name
                for name in change.guards
                if name in self._found and self._found[name].outcome is Outcome.FAILED
            )
        )

    def _tell(self, change: PlannedChange, outcome: Outcome, **more: Unpack[_Told]) -> None:
        told = ResourceOutcome(
            name=change.resource.name,
            operation=change.operation,
            outcome=outcome,
            elapsed=self._clock.now() - self._began,
            **more,
        )
        self._found[told.name] = told
        self._on_outcome(told)

    def _busy(self, now: str, words: list[str]) -> HostBusyError:
        since = words[0] if words and words[0].isdigit() else now
        age = timedelta(seconds=max(0, int(now) - int(since)))
        owner = " ".join(words[1:]) or "somebody"
        return HostBusyError(
            host=self.transport.host,
            owner=owner,
            age=age,
            reason=f"{owner} applies a host spec there since {age.total_seconds():.0f} s",
        )


def _tail(said: bytes) -> str:
    return "\n".join(said.decode(errors="replace").strip().splitlines()[-_TAIL_LINES:])
