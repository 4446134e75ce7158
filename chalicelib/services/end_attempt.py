"""Take an attempt's result: store it under its fence first, then wake whoever waits for it."""

from chalicelib.errors import FenceLostError
from chalicelib.keyring.signing import Ticket
from chalicelib.model import JobState, Result
from chalicelib.services.context import Berth
from chalicelib.services.finish_job import finish_job

__all__ = ["end_attempt"]


def end_attempt(berth: Berth, *, ticket: Ticket, result: Result) -> None:
    """Store the result and end the waiting task. Safe to repeat.

    When nobody waits for the task any more (the execution was lost), the job is finished here: the
    result is durable, and finishing is fenced.

    Raises:
        FenceLostError: the attempt is not the job's live one.
        StoreUnavailableError: nothing was promised; the supervisor sends the same again.
    """
    job = berth.queue.get_job(ticket.job)
    if job is None or job.fence != ticket.fence:
        raise FenceLostError(job=ticket.job, fence=ticket.fence)
    if job.state is JobState.DONE:
        return
    if not job.live:
        raise FenceLostError(job=ticket.job, fence=ticket.fence)
    berth.logs.append(ticket.job, ticket.fence, steps=result.steps, output=())
    berth.logs.put_result(ticket.job, ticket.fence, result)
    if not berth.sequencer.succeed(ticket.task_token):
        finish_job(berth, job=ticket.job, fence=ticket.fence)
