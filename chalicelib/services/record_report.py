"""Keep what a running attempt says: output, steps, and that it lives."""

from chalicelib.errors import FenceLostError, PayloadError
from chalicelib.keyring.signing import Ticket
from chalicelib.model import JobState, Report
from chalicelib.services.context import Berth

__all__ = ["record_report"]

_NOTICE_ROOM = 4096
"""The supervisor's own notices (the cut at the limit, a time-out) may go beyond the limit by this."""


def record_report(berth: Berth, *, ticket: Ticket, report: Report) -> bool:
    """Store a report and renew the lease if it is a heartbeat; return whether the job was cancelled.

    The lease on the job item is the authority on liveness; the task token is told as well, and if
    nobody waits for it any more the sweeper finds that out by the lease. Safe to repeat.

    Raises:
        FenceLostError: the attempt is not the job's live one; the supervisor must stop.
        PayloadError: output beyond the log limit.
        StoreUnavailableError: nothing was promised; the supervisor sends the same again.
    """
    limit = berth.policy.log_limit_bytes + _NOTICE_ROOM
    if any(chunk.offset + len(chunk.data) > limit for chunk in report.output):
        raise PayloadError(reason="output beyond the log limit", status=413)
    state = _renewed(berth, ticket) if report.heartbeat else _seen(berth, ticket)
    if state not in {JobState.RUNNING, JobState.CANCELLING}:
        raise FenceLostError(job=ticket.job, fence=ticket.fence)
    berth.logs.append(ticket.job, ticket.fence, steps=report.steps, output=report.output)
    if report.heartbeat:
        berth.sequencer.heartbeat(ticket.task_token)
    return state is JobState.CANCELLING


def _renewed(berth: Berth, ticket: Ticket) -> JobState | None:
    until = berth.clock.now() + berth.policy.lease
    return berth.queue.heartbeat(ticket.job, fence=ticket.fence, lease_until=until)


def _seen(berth: Berth, ticket: Ticket) -> JobState | None:
    job = berth.queue.get_job(ticket.job)
    return job.state if job is not None and job.fence == ticket.fence else None
