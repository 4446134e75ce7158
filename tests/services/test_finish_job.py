"""What people read of a job that ended by its attempt's result."""

import pytest

from chalicelib.fleet.diagnosis import Killed
from chalicelib.keyring.signing import Ticket
from chalicelib.model import Outcome
from chalicelib.services.dispatch_attempt import dispatch_attempt
from chalicelib.services.end_attempt import end_attempt
from chalicelib.services.finish_job import finish_job
from tests.services.installation import Site, result

_TOKEN = "task-token"  # noqa: S105 - a stand-in, not a password
_STATUS = "step 'x' exited with 137"


def _with_result(site: Site, outcome: Outcome) -> str:
    """Return a job whose attempt has sent its result, and whose task has not yet finished it."""
    job = site.plan().id
    site.sequencer.waiting.add(_TOKEN)
    dispatch_attempt(site.berth, job=job, fence=1, task_token=_TOKEN)
    ticket = Ticket(job=job, fence=1, task_token=_TOKEN)
    end_attempt(site.berth, ticket=ticket, result=result(outcome, _STATUS))
    return job


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.FAILED, f"{_STATUS}; the kernel killed ld in it for want of memory"),
        (Outcome.SUCCEEDED, _STATUS),
    ],
)
def test_a_failed_result_says_what_was_killed_for_memory(
    site: Site, outcome: Outcome, reason: str
) -> None:
    """A job that got over the loss of a process is no failure, whatever the kernel did."""
    job = _with_result(site, outcome)
    site.host.killed[job, 1] = Killed(process="ld")

    finish_job(site.berth, job=job, fence=1)

    assert site.job(job).reason == reason


def test_a_job_that_is_finished_twice_keeps_its_first_reason(site: Site) -> None:
    """The second one may not learn any more what the first one has."""
    job = _with_result(site, Outcome.FAILED)
    site.host.killed[job, 1] = Killed(process="ld")
    finish_job(site.berth, job=job, fence=1)
    site.host.killed.clear()

    finish_job(site.berth, job=job, fence=1)

    assert site.job(job).reason.startswith(f"{_STATUS}; the kernel killed ld")


def test_a_result_is_taken_though_its_host_does_not_answer(site: Site) -> None:
    job = _with_result(site, Outcome.FAILED)
    site.host.unreachable = True

    finish_job(site.berth, job=job, fence=1)

    assert site.job(job).reason == _STATUS
