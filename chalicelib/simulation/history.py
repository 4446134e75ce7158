"""What happened, in order: for people as text, for comparison as a hash, for invariants as facts."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from chalicelib.model import JobState, Outcome
from chalicelib.simulation.snapshot import Changed, JobRow, Write

__all__ = ["Head", "History", "Newest", "Outage", "Violation"]

_STOPPED = {Outcome.CANCELLED.value, Outcome.SUPERSEDED.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """An invariant that did not hold: its id, the job or other thing, and what was seen."""

    invariant: str
    subject: str
    told: str
    step: int = 0

    def __str__(self) -> str:
        return f"{self.invariant} at step {self.step}: {self.subject}: {self.told}"


class Outage(NamedTuple):
    """When the store came back, and which attempts had kept running."""

    ended_ms: int = -1
    kept_running: frozenset[tuple[str, int]] = frozenset()


class Newest(NamedTuple):
    """The newest commit of a group, and since when."""

    sha: str
    since_ms: int


class Head(NamedTuple):
    """What a pipeline is of: its group, and its commit."""

    group: str
    sha: str


@dataclass(slots=True)
class History:
    """The record that the store does not keep.

    Attributes:
        step: how many lines there are.
        last: the store's last write, with what each item was before.
        claims: fences claimed of each job, in order.
        executions: how many were made of each (job, fence).
        containers: the machines that have one, of each (job, fence).
        effects: each (job, fence) that the newest effects named; forgotten once judged.
        results: outcome that the supervisor of (job, fence) stored first.
        ended: each job as it was when it became DONE.
        cancelled: jobs that were told to end.
        acknowledged: pipelines answered with 2xx, by the event they are of.
        claimed_ms, stored_ms: when each (job, fence) was claimed, and had its result stored.
        claimer_ms: when the actor began that claimed it, which may have been paused since.
        heads: what pipelines that can be superseded are of, by id.
        newest: the newest commit of each group, as the table says.
        waits: for how many minutes in a row each job has waited although there was room.
        skewed: whether the clocks of this world differ.
        healed_ms: when it healed.
        outage: the store's last one.
        given_up: attempts whose execution was told of an error, and not merely of silence.
        units: write units of the dearest call, by verb.
    """

    keep: bool = False
    step: int = 0
    lines: list[str] = field(default_factory=list)
    last: Write = field(default_factory=Write)
    claims: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    executions: Counter[tuple[str, int]] = field(default_factory=Counter)
    containers: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    effects: list[tuple[str, int]] = field(default_factory=list)
    results: dict[tuple[str, int], str] = field(default_factory=dict)
    ended: dict[str, JobRow] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    acknowledged: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    violations: list[Violation] = field(default_factory=list)
    units: dict[str, float] = field(default_factory=dict)
    claimed_ms: dict[tuple[str, int], int] = field(default_factory=dict)
    claimer_ms: dict[tuple[str, int], int] = field(default_factory=dict)
    stored_ms: dict[tuple[str, int], int] = field(default_factory=dict)
    heads: dict[str, Head] = field(default_factory=dict)
    newest: dict[str, Newest] = field(default_factory=dict)
    waits: Counter[str] = field(default_factory=Counter)
    skewed: bool = False
    healed_ms: int | None = None
    outage: Outage = field(default_factory=Outage)
    given_up: set[tuple[str, int]] = field(default_factory=set)
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def note(self, at_ms: int, actor: str, what: str) -> None:
        """Add a line: virtual time, who, what."""
        self.step += 1
        self._digest.update(f"{at_ms}{actor}{what}".encode())
        if self.keep:
            self.lines.append(f"{self.step:6} {_clock(at_ms)} {actor:34} {what}")

    def lost_touch(self, attempts: Iterable[tuple[str, int]]) -> None:
        """Note that these no longer run, or can no longer say so."""
        kept = self.outage.kept_running - set(attempts)
        self.outage = self.outage._replace(kept_running=kept)

    def told(self, attempt: tuple[str, int], outcome: str, at_ms: int) -> None:
        """Keep what was stored first of an attempt's end, and when."""
        self.results.setdefault(attempt, outcome)
        self.stored_ms.setdefault(attempt, at_ms)

    def remember(self, jobs: Iterable[Changed]) -> None:
        """Keep what these changes of jobs mean: claims, ends, cancels."""
        for before, after in jobs:
            if after is None:
                continue
            if before is not None and (before.state, after.state) == (
                JobState.READY,
                JobState.LEASED,
            ):
                self.claims[after.id].append(after.fence)
                self.claimed_ms[after.id, after.fence] = self.last.at_ms
                self.claimer_ms[after.id, after.fence] = self.last.begun_ms
            if after.state == JobState.DONE:
                self.ended.setdefault(after.id, after)
            if after.state == JobState.CANCELLING or (
                after.state == JobState.DONE and after.outcome in _STOPPED
            ):
                self.cancelled.add(after.id)

    def found(self, violations: Sequence[Violation]) -> None:
        """Keep what was found."""
        self.violations += violations

    def digest(self) -> str:
        """Return a hash of all lines: equal for equal runs."""
        return self._digest.hexdigest()


def _clock(at_ms: int) -> str:
    whole = str(timedelta(seconds=at_ms // 1000))
    return f"{whole:>8}.{at_ms % 1000:03}"
