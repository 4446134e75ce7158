"""An attempt from dispatch to its end, and what becomes of it when something is lost."""

from datetime import timedelta

import pytest

from chalicelib.clock import from_ms
from chalicelib.errors import FenceLostError, NotFoundError, PayloadError
from chalicelib.fleet.diagnosis import Killed
from chalicelib.keyring.signing import Ticket, open_ticket
from chalicelib.model import (
    Job,
    JobState,
    Outcome,
    OutputChunk,
    PipelineState,
    Report,
    Result,
    StepRecord,
    StepState,
)
from chalicelib.services.cancel_pipeline import cancel_pipeline
from chalicelib.services.dispatch_attempt import dispatch_attempt
from chalicelib.services.end_attempt import end_attempt
from chalicelib.services.finish_job import finish_job
from chalicelib.services.record_report import record_report
from chalicelib.services.recover_attempt import Decision, recover_attempt
from chalicelib.services.sweep import sweep
from tests.services.installation import Site, make_site, result

_TOKEN = "task-token"  # noqa: S105 - a stand-in, not a password


def _dispatched(site: Site) -> Job:
    job = site.plan()
    site.sequencer.waiting.add(_TOKEN)
    dispatch_attempt(site.berth, job=job.id, fence=1, task_token=_TOKEN)
    return site.job(job.id)


def _ticket(job: Job) -> Ticket:
    return Ticket(job=job.id, fence=job.fence, task_token=_TOKEN)


def _beat(site: Site, job: Job, *chunks: OutputChunk) -> bool:
    report = Report(heartbeat=True, steps=(), output=chunks)
    return record_report(site.berth, ticket=_ticket(job), report=report)


def test_a_dispatched_job_runs_on_its_host(site: Site) -> None:
    job = _dispatched(site)

    assert job.state is JobState.RUNNING
    assert job.owner == "h1"
    assert site.host.attempts() == [(job.id, 1)]
    assert list(job.hops) == ["admitted", "ready", "claimed", "dispatched", "bound"]


def test_the_ticket_that_the_host_gets_opens_for_its_attempt(site: Site) -> None:
    job = _dispatched(site)

    plan = site.host.supervisors[job.id, 1]

    key = site.berth.keyring.keys(now=site.clock.now()).ticket
    ticket = open_ticket(plan.ticket, key, job=job.id, fence=1, now=site.clock.now())
    assert ticket.task_token == _TOKEN
    assert _TOKEN not in str(plan.supervisor)


def test_a_container_that_was_made_opens_the_breaker(site: Site) -> None:
    site.queue.note_failure("default", reason="no image", now=site.clock.now())

    _dispatched(site)

    assert site.queue.get_pool("default").failures == 0


def test_dispatching_twice_makes_one_container(site: Site) -> None:
    job = _dispatched(site)

    dispatch_attempt(site.berth, job=job.id, fence=1, task_token=_TOKEN)

    assert site.host.attempts() == [(job.id, 1)]


def test_an_old_fence_is_not_dispatched(site: Site) -> None:
    job = site.plan()

    with pytest.raises(FenceLostError):
        dispatch_attempt(site.berth, job=job.id, fence=2, task_token=_TOKEN)

    assert site.host.attempts() == []


def test_a_result_ends_the_job_and_frees_both_slots(site: Site) -> None:
    job = _dispatched(site)

    end_attempt(site.berth, ticket=_ticket(job), result=result())
    outcome = finish_job(site.berth, job=job.id, fence=1)

    ended = site.job(job.id)
    assert outcome is Outcome.SUCCEEDED
    assert ended.state is JobState.DONE
    assert site.slots_taken() == 0
    tenant = site.queue.get_tenant("7")
    assert tenant is not None
    assert tenant.jobs == frozenset()


def test_the_start_of_the_first_step_becomes_a_hop(site: Site) -> None:
    job = _dispatched(site)
    step = StepRecord(index=0, name="a", state=StepState.SUCCEEDED, started_at_ms=5000)
    done = Result(outcome=Outcome.SUCCEEDED, reason="", steps=(step,))

    end_attempt(site.berth, ticket=_ticket(job), result=done)
    finish_job(site.berth, job=job.id, fence=1)

    assert site.job(job.id).hops["started"] == from_ms(5000)


def test_the_last_job_ends_its_pipeline(site: Site) -> None:
    job = _dispatched(site)
    end_attempt(site.berth, ticket=_ticket(job), result=result(Outcome.FAILED, "step 'x' exited"))

    finish_job(site.berth, job=job.id, fence=1)

    pipeline = site.pipelines.get_pipeline(job.pipeline)
    assert pipeline is not None
    assert pipeline.state is PipelineState.ENDED
    assert (pipeline.outcome, pipeline.reason) == (Outcome.FAILED, "build: step 'x' exited")


def test_a_result_that_nobody_waits_for_finishes_the_job_itself(site: Site) -> None:
    job = _dispatched(site)
    site.sequencer.waiting.clear()

    end_attempt(site.berth, ticket=_ticket(job), result=result())

    assert site.job(job.id).outcome is Outcome.SUCCEEDED


def test_a_result_sent_twice_is_taken_once(site: Site) -> None:
    job = _dispatched(site)
    end_attempt(site.berth, ticket=_ticket(job), result=result())
    finish_job(site.berth, job=job.id, fence=1)

    end_attempt(site.berth, ticket=_ticket(job), result=result(Outcome.FAILED))

    assert site.job(job.id).outcome is Outcome.SUCCEEDED


def test_finishing_without_a_result_is_refused(site: Site) -> None:
    job = _dispatched(site)

    with pytest.raises(NotFoundError):
        finish_job(site.berth, job=job.id, fence=1)

    assert site.job(job.id).state is JobState.RUNNING


def test_a_finished_job_passes_its_slots_to_those_that_wait() -> None:
    site = make_site(slots=1, tenant_limit=2)
    first = _dispatched(site)
    ready, pending = site.plan(), site.plan()
    assert (ready.state, pending.state) == (JobState.READY, JobState.PENDING)
    site.pass_time(timedelta(seconds=30))

    end_attempt(site.berth, ticket=_ticket(first), result=result())
    finish_job(site.berth, job=first.id, fence=1)

    assert site.job(ready.id).state is JobState.LEASED
    assert site.job(pending.id).state is JobState.READY


def test_a_heartbeat_renews_the_lease(site: Site) -> None:
    job = _dispatched(site)
    site.pass_time(timedelta(seconds=60))

    cancelled = _beat(site, job)

    assert not cancelled
    assert site.job(job.id).lease_until == site.clock.now() + site.berth.policy.lease
    assert site.sequencer.heartbeats == [_TOKEN]


def test_output_is_kept_under_its_attempt(site: Site) -> None:
    job = _dispatched(site)

    _beat(site, job, OutputChunk(step=0, offset=0, data=b"\xff\x00hello"))

    page = site.logs.read_log(job.id, 1)
    assert [chunk.data for chunk in page.chunks] == [b"\xff\x00hello"]


def test_output_beyond_the_limit_is_refused(site: Site) -> None:
    """A build that broke out of its container must not fill the table."""
    job = _dispatched(site)

    with pytest.raises(PayloadError) as caught:
        _beat(site, job, OutputChunk(step=0, offset=60 * 1024 * 1024, data=b"x"))

    assert caught.value.status == 413


def test_a_supervisor_of_an_old_attempt_is_told_to_stop(site: Site) -> None:
    job = _dispatched(site)
    recover_attempt(site.berth, job=job.id, fence=1, cause="test")

    with pytest.raises(FenceLostError):
        _beat(site, job)
    with pytest.raises(FenceLostError):
        end_attempt(site.berth, ticket=_ticket(job), result=result())


def test_a_lost_attempt_is_removed_and_run_again_on_a_new_fence(site: Site) -> None:
    job = _dispatched(site)

    decision = recover_attempt(site.berth, job=job.id, fence=1, cause="the supervisor died")

    again = site.job(job.id)
    assert decision is Decision.REQUEUED
    assert (again.state, again.fence) == (JobState.LEASED, 2)
    assert site.host.attempts() == []
    assert site.sequencer.started == [(job.id, 1), (job.id, 2)]
    assert site.slots_taken() == 1


def test_an_attempt_that_was_only_not_heard_of_is_left_to_its_lease(site: Site) -> None:
    """After an outage of the store every build was silent, and none was lost."""
    job = _dispatched(site)

    decision = recover_attempt(site.berth, job=job.id, fence=1, cause="silent", silent=True)

    assert decision is Decision.ALIVE
    assert site.job(job.id).state is JobState.RUNNING
    assert site.host.attempts() == [(job.id, 1)]


def test_a_process_killed_for_memory_does_not_take_a_living_attempt_away(site: Site) -> None:
    """Its build may go on without it, and the store was there all the time."""
    for _ in range(3):
        sweep(site.berth)
        site.pass_time(timedelta(minutes=1))
    job = _dispatched(site)
    site.host.killed[job.id, 1] = Killed(process="ld")

    decision = recover_attempt(site.berth, job=job.id, fence=1, cause="silent", silent=True)

    assert decision is Decision.ALIVE
    assert site.host.attempts() == [(job.id, 1)]


def test_an_attempt_not_heard_of_on_a_host_that_is_gone_is_tried_again_at_once(site: Site) -> None:
    """A dead host is noticed by the missing heartbeats, not a sweep and a lease later."""
    for _ in range(3):
        sweep(site.berth)
        site.pass_time(timedelta(minutes=1))
    job = _dispatched(site)
    site.host.unreachable = True

    decision = recover_attempt(site.berth, job=job.id, fence=1, cause="silent", silent=True)

    assert decision is Decision.REQUEUED


def test_after_an_outage_of_the_store_silence_says_nothing_of_a_host(site: Site) -> None:
    """It does not answer, and nobody's heartbeat came through: the build may well run."""
    sweep(site.berth)
    site.pass_time(timedelta(hours=1))
    job = _dispatched(site)
    site.host.unreachable = True

    decision = recover_attempt(site.berth, job=job.id, fence=1, cause="silent", silent=True)

    assert decision is Decision.ALIVE


def test_an_attempt_that_never_ran_is_not_waited_for(site: Site) -> None:
    job = site.plan()

    decision = recover_attempt(site.berth, job=job.id, fence=1, cause="silent", silent=True)

    assert decision is Decision.REQUEUED


def test_a_lost_attempt_that_stored_its_result_is_finished_by_it(site: Site) -> None:
    job = _dispatched(site)
    site.logs.put_result(job.id, 1, result())

    decision = recover_attempt(site.berth, job=job.id, fence=1, cause="lost")

    assert decision is Decision.FINISHED
    assert site.job(job.id).outcome is Outcome.SUCCEEDED


def test_a_job_that_loses_three_attempts_ends_as_infrastructure(site: Site) -> None:
    job = site.plan()
    for fence in (1, 2, 3):
        dispatch_attempt(site.berth, job=job.id, fence=fence, task_token=_TOKEN)
        recover_attempt(site.berth, job=job.id, fence=fence, cause="the supervisor died")

    ended = site.job(job.id)
    assert ended.outcome is Outcome.INFRASTRUCTURE
    assert "given up after 3 attempts: the supervisor died" in ended.reason
    assert site.host.attempts() == []
    assert site.slots_taken() == 0


def test_an_attempt_that_ended_for_infrastructure_is_tried_again(site: Site) -> None:
    job = _dispatched(site)
    end_attempt(site.berth, ticket=_ticket(job), result=result(Outcome.INFRASTRUCTURE, "LXD gone"))

    outcome = finish_job(site.berth, job=job.id, fence=1)

    assert outcome is None
    assert site.job(job.id).fence == 2


def test_recovering_an_old_fence_changes_nothing(site: Site) -> None:
    job = _dispatched(site)
    recover_attempt(site.berth, job=job.id, fence=1, cause="lost")

    decision = recover_attempt(site.berth, job=job.id, fence=1, cause="lost")

    assert decision is Decision.STALE
    assert site.job(job.id).fence == 2


def test_a_host_that_does_not_answer_does_not_stop_the_recovery(site: Site) -> None:
    job = _dispatched(site)
    site.host.unreachable = True

    decision = recover_attempt(site.berth, job=job.id, fence=1, cause="lost")

    assert decision is Decision.REQUEUED
    assert site.job(job.id).fence == 2


def test_cancel_ends_what_waits_and_tells_what_runs() -> None:
    site = make_site(slots=1)
    running = _dispatched(site)
    waiting = site.plan()

    cancel_pipeline(site.berth, running.pipeline)
    cancel_pipeline(site.berth, waiting.pipeline)

    assert site.job(waiting.id).outcome is Outcome.CANCELLED
    assert site.job(running.id).state is JobState.CANCELLING
    assert site.host.supervisors == {}
    assert _beat(site, running)


def test_a_cancelled_attempt_ends_as_cancelled_whatever_its_result_says(site: Site) -> None:
    job = _dispatched(site)
    cancel_pipeline(site.berth, job.pipeline)

    end_attempt(site.berth, ticket=_ticket(job), result=result(Outcome.SUCCEEDED))
    finish_job(site.berth, job=job.id, fence=1)

    assert site.job(job.id).outcome is Outcome.CANCELLED


def test_a_cancelled_attempt_that_is_lost_is_not_tried_again(site: Site) -> None:
    job = _dispatched(site)
    cancel_pipeline(site.berth, job.pipeline)

    decision = recover_attempt(site.berth, job=job.id, fence=1, cause="lost")

    assert decision is Decision.ENDED
    assert site.job(job.id).outcome is Outcome.CANCELLED
    assert site.host.attempts() == []


def test_a_job_cancelled_before_its_dispatch_is_not_dispatched(site: Site) -> None:
    job = site.plan()
    cancel_pipeline(site.berth, job.pipeline)

    with pytest.raises(FenceLostError):
        dispatch_attempt(site.berth, job=job.id, fence=1, task_token=_TOKEN)
    recover_attempt(site.berth, job=job.id, fence=1, cause="lost")

    assert site.job(job.id).outcome is Outcome.CANCELLED


def test_a_pipeline_cancelled_before_planning_never_runs(site: Site) -> None:
    pipeline = site.receive()

    cancel_pipeline(site.berth, pipeline.id)

    ended = site.pipelines.get_pipeline(pipeline.id)
    assert ended is not None
    assert ended.outcome is Outcome.CANCELLED
