"""Decide what follows an attempt that was lost: its result, another attempt, or the end."""

from enum import StrEnum

from chalicelib.errors import HostUnreachableError, LostError
from chalicelib.fleet.diagnosis import Diagnosis
from chalicelib.fleet.protocol import HostDriver
from chalicelib.model import Job, JobState, Outcome
from chalicelib.services.claim_job import claim_ready
from chalicelib.services.context import Berth
from chalicelib.services.finish_job import end_job, finish_job, try_again

__all__ = ["Decision", "recover_attempt"]


class Decision(StrEnum):
    """What was decided."""

    FINISHED = "finished"  # by the result it had stored
    REQUEUED = "requeued"
    ENDED = "ended"  # cancelled, or no attempts left
    STALE = "stale"  # somebody else had decided; what was left on the host is removed
    ALIVE = "alive"  # the lease was renewed in between, or is left to run out


def recover_attempt(
    berth: Berth, *, job: str, fence: int, cause: str, silent: bool = False
) -> Decision:
    """Finish by the stored result, else requeue, else end as infrastructure. Safe to repeat.

    The job is taken away first (fenced, and only if the lease is as seen), then the container is
    removed: the other way round would kill an attempt that had just renewed its lease.

    Args:
        berth: the drivers.
        job: the job.
        fence: the attempt that was lost.
        cause: what made the caller think so, for the reason that people see.
        silent: all that the caller knows is that Step Functions heard nothing of the attempt. If
            its host does not find it lost, or if the store was away, it is left to the
            sweeper: see `Decision.ALIVE`.

    Raises:
        StoreUnavailableError: the store did not answer; nothing is lost by trying again.
    """
    record = berth.queue.get_job(job)
    if record is not None:
        berth.identify(pipeline=record.pipeline, delivery=record.delivery)
    if record is None or record.fence != fence or not record.live:
        _clear_host(berth, record, job, fence)
        return Decision.STALE
    if berth.logs.get_result(job, fence) is not None:
        return _finish(berth, record)
    found = _diagnosis(berth, record)
    living = not found.lost or _store_was_away(berth)
    if silent and record.state is not JobState.LEASED and living:
        return Decision.ALIVE
    reason = f"{cause}; {found.sentence}" if found.sentence else cause
    return _take_away(berth, record, reason=reason)


def _store_was_away(berth: Berth) -> bool:
    """Return whether silence says nothing: heartbeats pass through the store on their way.

    When it was away for a while every build was silent, and none was lost by it. The sweeper has a
    mark in the store, whose gaps are the store's; it goes by the leases, a full lease after a gap.
    """
    now = berth.clock.now()
    since = berth.queue.swept_since(now=now, longest_gap=berth.policy.longest_sweep_gap)
    return since is None or now - since < berth.policy.lease


def _take_away(berth: Berth, record: Job, *, reason: str) -> Decision:
    if record.state is JobState.CANCELLING:
        return _end(berth, record, outcome=Outcome.CANCELLED, reason="cancelled")
    if record.state is JobState.LEASED:
        # Its container never ran: if that goes on, the pool's breaker keeps further jobs from it.
        berth.queue.note_failure(record.pool, reason=reason, now=berth.clock.now())
    if record.attempts >= berth.policy.max_attempts:
        tries = f"given up after {record.attempts} attempts: {reason}"
        return _end(berth, record, outcome=Outcome.INFRASTRUCTURE, reason=tries)
    if not try_again(berth, record, reason=reason):
        return Decision.ALIVE
    _clear_host(berth, record, record.id, record.fence)
    claim_ready(berth, pool=record.pool, most=4)
    return Decision.REQUEUED


def _finish(berth: Berth, record: Job) -> Decision:
    try:
        finish_job(berth, job=record.id, fence=record.fence)
    except LostError:
        return Decision.STALE
    return Decision.FINISHED


def _end(berth: Berth, record: Job, *, outcome: Outcome, reason: str) -> Decision:
    # Here the container goes first: the slot it holds is freed by the end of the job.
    _clear_host(berth, record, record.id, record.fence)
    try:
        end_job(berth, job=record.id, fence=record.fence, outcome=outcome, reason=reason)
    except LostError:
        return Decision.STALE
    return Decision.ENDED


def _driver(berth: Berth, record: Job | None) -> HostDriver | None:
    host = berth.queue.get_host(record.host) if record is not None and record.host else None
    return berth.host(host) if host is not None else None


def _diagnosis(berth: Berth, record: Job) -> Diagnosis:
    driver = _driver(berth, record)
    if driver is None:
        return Diagnosis(lost=True, sentence="its host is not registered any more")
    try:
        return driver.diagnose(record.id, record.fence)
    except HostUnreachableError as error:
        return Diagnosis(lost=True, sentence=str(error))


def _clear_host(berth: Berth, record: Job | None, job: str, fence: int) -> None:
    driver = _driver(berth, record)
    if driver is None:
        return
    try:
        driver.remove_attempt(job, fence)
    except HostUnreachableError:
        # The sweeper collects it when the host answers again; the fence keeps it harmless.
        return
