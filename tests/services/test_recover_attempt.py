"""What people read of an attempt that was lost, and why."""

from chalicelib.fleet.diagnosis import Killed
from chalicelib.model import Outcome
from chalicelib.services.dispatch_attempt import dispatch_attempt
from chalicelib.services.recover_attempt import Decision, recover_attempt
from tests.services.installation import Site

_KILLED = Killed(process="cc1plus", limit_bytes=4 << 30, peak_bytes=4 << 30)
_SAID = "the kernel killed cc1plus in it for want of memory: limit 4.0 GiB, peak 4.0 GiB"


def test_a_job_whose_attempts_were_killed_for_memory_says_so(site: Site) -> None:
    """Process, limit and peak are in the reason that its page and its check show."""
    job = site.plan().id
    decisions = []
    for fence in range(1, site.berth.policy.max_attempts + 1):
        token = f"task-{fence}"
        site.sequencer.waiting.add(token)
        dispatch_attempt(site.berth, job=job, fence=fence, task_token=token)
        site.host.killed[job, fence] = _KILLED

        decisions.append(recover_attempt(site.berth, job=job, fence=fence, cause="lost"))

    ended = site.job(job)
    assert decisions[-1] is Decision.ENDED
    assert ended.outcome is Outcome.INFRASTRUCTURE
    assert ended.reason == f"given up after {len(decisions)} attempts: lost; {_SAID}"


def test_a_full_disk_is_in_the_reason(site: Site) -> None:
    job = site.plan().id
    site.sequencer.waiting.add("task-1")
    dispatch_attempt(site.berth, job=job, fence=1, task_token="task-1")  # noqa: S106 (a stand-in)
    site.host.disk_full = True

    recover_attempt(site.berth, job=job, fence=1, cause="lost")

    assert "lost; the host's disk is full: " in site.job(job).reason
