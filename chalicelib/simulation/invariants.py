"""Invariants S1 to S15 of the queue protocol, with L5 and L8, as pure functions of (snapshot, history).

Each yields what it found wrong. They are asked after every applied write with the part of the
snapshot that the write concerns, which is whole for the tenants and hosts in it, and with all of it
at the end. What a state cannot show is judged by `history.last`, the write itself.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from chalicelib.clock import to_ms
from chalicelib.model import HOLDS_SLOT, LIVE, QUEUED, TRANSITIONS, JobState, Outcome
from chalicelib.simulation.engine import START
from chalicelib.simulation.history import History, Violation
from chalicelib.simulation.snapshot import JobRow, Snapshot

__all__ = [
    "INVARIANTS",
    "Invariant",
    "broken",
    "l5_no_waste",
    "l8_outage",
    "s01_limits",
    "s02_slots",
    "s03_index",
    "s04_fences",
    "s05_done",
    "s06_outcome",
    "s07_effects",
    "s08_hosts",
    "s09_intent",
    "s10_old_fences",
    "s11_dedupe",
    "s12_superseded",
    "s13_cancel",
    "s14_conservation",
    "s15_cost",
]

_Found = Iterator[tuple[str, str]]
Invariant = Callable[[Snapshot, History], _Found]

_LEASE_MS = 90_000
_SLIGHT_MS = 2_000
_MAX_HOT_BYTES = 1024
_UNITS: Mapping[str, float] = MappingProxyType(
    {
        "admit": 6,
        "promote": 7,
        "claim": 5,
        "bind": 1,
        "heartbeat": 1,
        "finish": 6,
        "release": 5,
        "requeue": 5,
        "cancel": 5,
    }
)
"""Write units of one call at most: protocol section 1.4, for jobs on shared hosts. Admit and promote
may cost one more than there, when the slot brings an idle tenant back into the index."""

_HOLDS = {state.value for state in HOLDS_SLOT}
_LIVE = {state.value for state in LIVE}
_QUEUED = {state.value for state in QUEUED}
_DONE = JobState.DONE.value
_READY = JobState.READY.value
_LEASED = JobState.LEASED.value
_RUNNING = JobState.RUNNING.value
_CANCELLING = JobState.CANCELLING.value
_ALLOWED = {(before.value, after.value) for (before, _), after in TRANSITIONS.items()}
_FIRST = {JobState.READY.value, JobState.PENDING.value, JobState.DONE.value}


def s01_limits(now: Snapshot, history: History) -> _Found:
    """A slot is taken only while its tenant has room: fewer jobs in all its shards than its limit."""
    for before, after in history.last.tenants:
        if not after.jobs - (before.jobs if before else frozenset()):
            continue
        shards = now.shards_of(after.id)
        held, limit = sum(len(row.jobs) for row in shards), shards[0].total
        if held > limit:
            yield after.id, f"took a slot and holds {held} of {limit}"


def s02_slots(now: Snapshot, history: History) -> _Found:
    """A tenant's set is its jobs that are READY, LEASED, RUNNING or CANCELLING, each in its shard.

    The first shard counts at least as many shards as hold jobs: nobody looks into further ones.
    """
    del history
    for tenant in {row.id: None for row in now.tenants.values()}:
        shards = now.shards_of(tenant)
        held = sorted((job, row.shard) for row in shards for job in row.jobs)
        due = sorted(
            (job.id, job.shard)
            for job in now.jobs.values()
            if job.tenant == tenant and job.state in _HOLDS
        )
        if held != due:
            yield tenant, f"holds {held}, due are {due}"
        for row in shards[shards[0].shards :]:
            if row.jobs:
                yield tenant, f"has jobs in shard {row.shard} of {shards[0].shards}"


def s03_index(now: Snapshot, history: History) -> _Found:
    """A job is in the index exactly while PENDING or READY, in the partition of its state."""
    del history
    for job in now.jobs.values():
        due = {_READY: f"R#{job.pool}#", JobState.PENDING.value: f"P#{job.tenant}"}
        start = due.get(job.state, "")
        if bool(job.partition) != (job.state in _QUEUED) or not job.partition.startswith(start):
            yield job.id, f"is {job.state} in partition {job.partition!r}"


def s04_fences(now: Snapshot, history: History) -> _Found:
    """A fence never decreases, and grows by one at each claim, which is READY to LEASED."""
    del now
    for before, after in history.last.jobs:
        old, new = before.fence if before else 0, after.fence if after else 0
        claimed = _is_claim(before, after)
        if new != old + claimed:
            yield _id(before, after), f"fence {old} became {new}, claimed: {claimed}"
        fences = history.claims.get(_id(before, after), [])
        if fences != list(range(1, len(fences) + 1)):
            yield _id(before, after), f"was claimed with fences {fences}"


def s05_done(now: Snapshot, history: History) -> _Found:
    """DONE never changes: neither state, nor outcome, nor fence."""
    for job in now.jobs.values():
        ended = history.ended.get(job.id)
        if ended is None or _verdict(ended) == _verdict(job):
            continue
        yield job.id, f"was {ended.outcome} by {ended.fence}, is {job.state} {job.outcome}"


def s06_outcome(now: Snapshot, history: History) -> _Found:
    """The outcome is that of the attempt whose fence the job had: no zombie decides."""
    del now
    for before, after in history.last.jobs:
        if before is None or after is None or after.state != _DONE or before.state == _DONE:
            continue
        told = f"told by {after.id}-"
        if after.reason.startswith(told) and after.reason != f"{told}{after.fence}":
            yield after.id, f"ended at fence {after.fence}, {after.reason}"
        stored = history.results.get((after.id, after.fence))
        if after.outcome in {"succeeded", "failed"} and stored != after.outcome:
            yield after.id, f"ended as {after.outcome}; attempt {after.fence} said {stored}"


def s07_effects(now: Snapshot, history: History) -> _Found:
    """At most one execution, and one container, for each (job, fence)."""
    del now
    for job, fence in history.effects:
        machines = history.containers.get((job, fence), set())
        if len(machines) > 1:
            yield job, f"attempt {fence} has containers on {sorted(machines)}"
        if history.executions[job, fence] > 1:
            yield job, f"attempt {fence} has {history.executions[job, fence]} executions"


def s08_hosts(now: Snapshot, history: History) -> _Found:
    """A host's map has no more jobs than slots when one is added, each live here by that fence."""
    for before, after in history.last.hosts:
        added = set(after.jobs) - set(before.jobs if before else ())
        if added and len(after.jobs) > after.slots:
            yield after.id, f"{len(after.jobs)} jobs in {after.slots} slots"
        if added and (after.state != "up"):
            yield after.id, f"is {after.state} and took {sorted(added)}"
    for host in now.hosts.values():
        due = {
            job.id: job.fence
            for job in now.jobs.values()
            if job.state in _LIVE and job.host == host.id
        }
        if dict(host.jobs) != due:
            yield host.id, f"holds {dict(host.jobs)}, due are {due}"


def s09_intent(now: Snapshot, history: History) -> _Found:
    """Every effect that names (job, fence) came after the claim of that fence."""
    del now
    for job, fence in history.effects:
        if fence not in history.claims.get(job, ()):
            yield job, f"an effect of attempt {fence}, claimed were {history.claims.get(job, [])}"


def s10_old_fences(now: Snapshot, history: History) -> _Found:
    """Whoever acts for an old fence changes nothing of that job; claim and cancel know no fence."""
    del now
    attempt = history.last.attempt
    for before, after in history.last.jobs:
        if attempt is None or before is None or before.id != attempt[0]:
            continue
        by_anybody = _is_claim(before, after) or _is_cancel(before, after)
        if before.fence != attempt[1] and not by_anybody:
            yield (
                before.id,
                f"{history.last.actor} of fence {attempt[1]} changed fence {before.fence}",
            )


def s11_dedupe(now: Snapshot, history: History) -> _Found:
    """The same event, however often and in whatever order, is one pipeline."""
    del now
    for event, pipelines in history.acknowledged.items():
        if len(pipelines) > 1:
            yield event, f"became {sorted(pipelines)}"


def s12_superseded(now: Snapshot, history: History) -> _Found:
    """What was superseded before it was claimed never runs."""
    del now
    for before, after in history.last.jobs:
        if not _moves(before, after, _LEASED, _RUNNING) or after is None:
            continue
        head = history.heads.get(after.pipeline)
        newest = history.newest.get(head.group) if head else None
        if head is None or newest is None or newest.sha == head.sha:
            continue
        if newest.since_ms < history.claimed_ms[after.id, after.fence]:
            yield after.id, f"runs {head.sha[:8]}, and {newest.sha[:8]} was newest when claimed"


def s13_cancel(now: Snapshot, history: History) -> _Found:
    """States change as the table of transitions says; what was cancelled starts no later attempt."""
    del now
    for before, after in history.last.jobs:
        if after is None:
            yield _id(before, after), "was deleted"
        elif before is None:
            if after.state not in _FIRST:
                yield after.id, f"began as {after.state}"
        elif before.state != after.state and (before.state, after.state) not in _ALLOWED:
            yield after.id, f"went from {before.state} to {after.state}"
        if after is not None and _is_claim(before, after) and after.id in history.cancelled:
            yield after.id, "was cancelled, and claimed"


def s14_conservation(now: Snapshot, history: History) -> _Found:
    """No acknowledged event's pipeline is lost, and no job is there that no pipeline planned."""
    if not now.whole:
        return
    for event, pipelines in history.acknowledged.items():
        lost = sorted(pipeline for pipeline in pipelines if pipeline not in now.pipelines)
        if lost:
            yield event, f"was acknowledged; {lost} is not there"
    planned = {job for row in now.pipelines.values() for job in row.jobs}
    for job in now.jobs:
        if job not in planned:
            yield job, "is in no pipeline"


def s15_cost(now: Snapshot, history: History) -> _Found:
    """Hot items stay under a kilobyte, and no call costs more write units than its verb may."""
    sizes = {row.id: row.size for row in now.jobs.values()}
    sizes |= {key: row.size for key, row in now.tenants.items()}
    sizes |= {row.id: row.size for row in now.hosts.values()}
    for name, size in sizes.items():
        if size > _MAX_HOT_BYTES:
            yield name, f"its item has {size} bytes"
    for verb, units in history.units.items():
        if units > _UNITS.get(verb, units):
            yield verb, f"cost {units} write units, at most {_UNITS[verb]} are due"


def l5_no_waste(now: Snapshot, history: History) -> _Found:
    """An attempt is not repeated that has a result or a lease, nor any once nothing fails."""
    del now
    for before, after in history.last.jobs:
        if before is None or after is None or after.state != _READY or before.state not in _LIVE:
            continue
        attempt = (before.id, before.fence)
        if history.results.get(attempt) == Outcome.INFRASTRUCTURE:
            continue
        if history.last.actor.startswith("sweep") and _leased(before, history):
            yield before.id, f"attempt {before.fence} is taken away, and its lease runs"
        if attempt in history.results and history.stored_ms[attempt] < history.last.begun_ms:
            yield before.id, f"attempt {before.fence} is repeated, and its result was stored"
        # A claimer that was paused while the world was broken claims with a lease that is old.
        if _is_sound(history, history.claimer_ms.get(attempt, history.claimed_ms[attempt])):
            yield before.id, f"attempt {before.fence} is repeated though nothing failed"


def _is_sound(history: History, since_ms: int) -> bool:
    """Return whether nothing has failed since, clocks included."""
    healed = history.healed_ms is not None and history.healed_ms < since_ms
    return healed and not history.skewed


def _leased(job: JobRow, history: History) -> bool:
    """Return whether its lease runs, as far as clocks that agree can tell."""
    now_ms = to_ms(START) + history.last.at_ms
    return not history.skewed and job.lease_ms > now_ms + _SLIGHT_MS


def l8_outage(now: Snapshot, history: History) -> _Found:
    """After an outage of the store no attempt that kept running is taken away for one lease."""
    del now
    write, outage = history.last, history.outage
    if history.skewed or write.at_ms >= outage.ended_ms + _LEASE_MS:
        return
    for before, after in write.jobs:
        if before is None or (before.id, before.fence) not in outage.kept_running:
            continue
        attempt = (before.id, before.fence)
        if attempt in history.given_up:
            continue  # its dispatcher failed, as far as anybody knows: no matter of the outage
        told = history.results.get(attempt)
        if _moves(before, after, _RUNNING, _READY) and told is None:
            passed_s = (write.at_ms - outage.ended_ms) // 1000
            yield before.id, f"attempt {before.fence} was taken away {passed_s} s after the outage"


INVARIANTS: Mapping[str, Invariant] = {
    "S1": s01_limits,
    "S2": s02_slots,
    "S3": s03_index,
    "S4": s04_fences,
    "S5": s05_done,
    "S6": s06_outcome,
    "S7": s07_effects,
    "S8": s08_hosts,
    "S9": s09_intent,
    "S10": s10_old_fences,
    "S11": s11_dedupe,
    "S12": s12_superseded,
    "S13": s13_cancel,
    "S14": s14_conservation,
    "S15": s15_cost,
    "L5": l5_no_waste,
    "L8": l8_outage,
}


def broken(now: Snapshot, history: History) -> list[Violation]:
    """Return what does not hold."""
    return [
        Violation(invariant=name, subject=subject, told=told, step=history.step)
        for name, check in INVARIANTS.items()
        for subject, told in check(now, history)
    ]


def _is_claim(before: JobRow | None, after: JobRow | None) -> bool:
    return _moves(before, after, _READY, _LEASED)


def _is_cancel(before: JobRow | None, after: JobRow | None) -> bool:
    if before is None or after is None or before.state == after.state:
        return False
    waited = before.state in _QUEUED and after.state == _DONE
    return waited or after.state == _CANCELLING


def _moves(before: JobRow | None, after: JobRow | None, old: str, new: str) -> bool:
    return before is not None and after is not None and (before.state, after.state) == (old, new)


def _verdict(job: JobRow) -> tuple[str, str, int]:
    return job.state, job.outcome, job.fence


def _id(before: JobRow | None, after: JobRow | None) -> str:
    row = after or before
    return row.id if row is not None else ""
