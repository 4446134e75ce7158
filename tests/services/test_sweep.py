"""The sweeper repairs what a killed actor left, and nothing that is alive."""

from dataclasses import replace
from datetime import datetime, timedelta

from chalicelib.clock import ManualClock
from chalicelib.fleet.memory import MemoryInstances
from chalicelib.keyring.signing import Ticket
from chalicelib.model import HostState, JobRef, JobState, Outcome, PipelineState, Report
from chalicelib.services.cancel_pipeline import cancel_pipeline
from chalicelib.services.dispatch_attempt import dispatch_attempt
from chalicelib.services.finish_job import end_job
from chalicelib.services.record_report import record_report
from chalicelib.services.recover_attempt import recover_attempt
from chalicelib.services.sweep import sweep
from tests.services.installation import Site, make_site, result

_MINUTE = timedelta(minutes=1)


class HurriedClock(ManualClock):
    """A clock by which every look takes ten seconds."""

    def now(self) -> datetime:
        """Return the time, and let some pass."""
        self.advance(timedelta(seconds=10))
        return super().now()


def _sweep_for(site: Site, minutes: int) -> None:
    for _ in range(minutes):
        sweep(site.berth)
        site.pass_time(_MINUTE)


def test_a_pipeline_that_nobody_planned_is_planned(site: Site) -> None:
    pipeline = site.receive()
    site.pass_time(_MINUTE)

    swept = sweep(site.berth)

    assert swept.planned == [pipeline.id]
    assert site.sequencer.planned == [pipeline.id]


def test_a_pipeline_just_received_is_left_to_its_planner(site: Site) -> None:
    site.receive()

    assert sweep(site.berth).planned == []


def test_a_pipeline_that_cannot_be_planned_for_hours_ends_and_says_so(site: Site) -> None:
    """A planner that always fails must not leave a pipeline open for ever."""
    pipeline = site.receive()
    site.pass_time(timedelta(hours=7))

    sweep(site.berth)

    ended = site.pipelines.get_pipeline(pipeline.id)
    assert ended is not None
    assert ended.outcome is Outcome.INFRASTRUCTURE
    assert "could not be read" in ended.reason
    assert site.sequencer.planned == []


def test_what_a_killed_planner_has_not_admitted_is_admitted(site: Site) -> None:
    """And however old it is: its other jobs may run."""
    pipeline = site.receive()
    ref = JobRef(id="j" * 16, name="build")
    site.pipelines.mark_planned(pipeline.id, jobs=[ref], now=site.clock.now())
    site.pass_time(timedelta(hours=7))

    swept = sweep(site.berth)

    assert (swept.planned, swept.advanced) == ([], [ref.id])
    assert site.job(ref.id).state is JobState.LEASED


def test_a_pipeline_and_all_its_jobs_end_by_their_deadline(site: Site) -> None:
    """Those that never got a host at once, those that run as soon as their containers are gone."""
    job, waiting = site.plan(), [site.plan(), site.plan(), site.plan()][-1]
    site.pass_time(timedelta(hours=25))

    swept = sweep(site.berth)

    assert {job.pipeline, waiting.pipeline} <= set(swept.closed)
    assert site.job(job.id).cancelled_as is Outcome.TIMED_OUT
    assert site.job(waiting.id).outcome is Outcome.TIMED_OUT
    assert site.job(waiting.id).reason == "it had not ended after 24 hours"


def test_an_attempt_not_heard_of_is_reaped(site: Site) -> None:
    _sweep_for(site, 3)
    job = site.plan()
    dispatch_attempt(site.berth, job=job.id, fence=1, task_token="t")  # noqa: S106 - a stand-in

    _sweep_for(site, 3)

    assert site.job(job.id).fence == 2
    assert site.host.attempts() == []
    assert site.sequencer.running == {(job.id, 2)}


def test_an_attempt_that_beats_is_left_alone(site: Site) -> None:
    job = site.plan()
    dispatch_attempt(site.berth, job=job.id, fence=1, task_token="t")  # noqa: S106 - a stand-in
    ticket = Ticket(job=job.id, fence=1, task_token="t")  # noqa: S106 - a stand-in

    for _ in range(5):
        record_report(site.berth, ticket=ticket, report=Report(heartbeat=True, steps=(), output=()))
        _sweep_for(site, 1)

    assert site.job(job.id).fence == 1


def test_a_claim_whose_execution_never_ran_is_reaped(site: Site) -> None:
    _sweep_for(site, 3)
    job = site.plan()

    _sweep_for(site, 4)

    assert site.job(job.id).fence == 2


def test_after_an_outage_nothing_is_reaped_for_one_lease(site: Site) -> None:
    """Every lease is old then, though the supervisors live: they need time to say so."""
    _sweep_for(site, 3)
    job = site.plan()
    dispatch_attempt(site.berth, job=job.id, fence=1, task_token="t")  # noqa: S106 - a stand-in
    site.pass_time(timedelta(hours=3))

    swept = sweep(site.berth)

    assert swept.amnesty
    assert site.job(job.id).fence == 1


def test_a_ready_job_is_claimed_when_a_host_comes_up(site: Site) -> None:
    site.plan()
    site.plan()
    waiting = site.plan()
    cancel_pipeline(site.berth, site.plan().pipeline)
    host = site.queue.get_host("h1")
    assert host is not None
    site.queue.register_host(replace(host, slots=3))

    swept = sweep(site.berth)

    assert swept.claimed == [waiting.id]


def test_what_an_old_attempt_left_is_collected(site: Site) -> None:
    job = site.plan()
    dispatch_attempt(site.berth, job=job.id, fence=1, task_token="t")  # noqa: S106 - a stand-in
    site.host.unreachable = True
    _sweep_for(site, 5)
    site.host.unreachable = False
    assert site.job(job.id).fence > 1

    swept = sweep(site.berth)

    assert swept.orphans.containers == [f"{job.id}-1"]
    assert site.host.attempts() == []


def test_a_host_that_does_not_answer_is_named_and_does_not_stop_the_sweep(site: Site) -> None:
    site.host.unreachable = True

    assert sweep(site.berth).orphans.unreachable == ["h1"]


def test_a_pipeline_whose_jobs_have_all_ended_is_closed(site: Site) -> None:
    job = site.plan()
    site.logs.put_result(job.id, 1, result())
    site.queue.finish(job.id, fence=1, outcome=Outcome.SUCCEEDED, reason="", now=site.clock.now())
    site.pass_time(_MINUTE)

    sweep(site.berth)

    pipeline = site.pipelines.get_pipeline(job.pipeline)
    assert pipeline is not None
    assert pipeline.state is PipelineState.ENDED


def test_a_backlog_is_promoted_when_its_tenant_has_room(site: Site) -> None:
    for _ in range(3):
        site.plan()
    waiting = site.plan()
    site.queue.put_tenant_limit("7", limit=4)

    swept = sweep(site.berth)

    assert swept.promoted == [waiting.id]
    assert site.job(waiting.id).state is JobState.READY


def test_sweeping_twice_changes_nothing_more(site: Site) -> None:
    job = site.plan()
    sweep(site.berth)
    before = site.job(job.id)

    sweep(site.berth)

    assert site.job(job.id) == before


def test_a_ready_job_that_the_index_does_not_show_is_claimed_by_its_key() -> None:
    """Its tenant's set has it. An index entry may be late, or in a lane that nobody reads."""
    lag = [timedelta(0)]
    site = make_site(slots=1, lag=lambda: lag[0])
    first = site.plan()
    lag[0] = timedelta(days=1)
    waiting = site.plan()
    cancel_pipeline(site.berth, first.pipeline)
    end_job(site.berth, job=first.id, fence=1, outcome=Outcome.CANCELLED, reason="")
    assert site.job(waiting.id).state is JobState.READY
    site.pass_time(3 * _MINUTE)

    assert sweep(site.berth).claimed == [waiting.id]


def test_an_execution_that_outlived_its_job_is_stopped(site: Site) -> None:
    job = site.plan()
    site.queue.finish(job.id, fence=1, outcome=Outcome.SUCCEEDED, reason="", now=site.clock.now())

    assert sweep(site.berth).orphans.executions == []  # it may just be on its way to its end
    site.pass_time(2 * _MINUTE)

    assert sweep(site.berth).orphans.executions == [f"{job.id}-1"]
    assert site.sequencer.running == set()


def test_an_instance_that_never_became_a_host_is_terminated(site: Site) -> None:
    instances = MemoryInstances()
    berth = replace(site.berth, instances=instances)
    for name in ("i-lost", "h1"):
        instances.launch(name, now=site.clock.now())
    assert sweep(berth).orphans.instances == []
    site.pass_time(timedelta(minutes=16))
    instances.launch("i-new", now=site.clock.now())

    assert sweep(berth).orphans.instances == ["i-lost"]

    assert [each.id for each in instances.launched()] == ["h1", "i-new"]


def test_a_paused_pool_is_not_claimed_for(site: Site) -> None:
    site.queue.pause(None, reason="maintenance")
    job = site.plan()
    assert job.state is JobState.READY

    assert sweep(site.berth).claimed == []
    site.queue.pause(None, reason="")

    assert sweep(site.berth).claimed == [job.id]


def test_a_pool_whose_containers_fail_is_given_time(site: Site) -> None:
    """Without the breaker every job of the queue would lose its attempts to one broken image."""
    jobs = [site.plan() for _ in range(2)]
    for _ in range(2):
        for job in jobs:
            fence = site.job(job.id).fence
            recover_attempt(site.berth, job=job.id, fence=fence, cause="ImageMissingError")

    pool = site.queue.get_pool("default")

    assert pool.failures >= 3
    assert "ImageMissingError" in pool.barrier(site.clock.now())
    assert site.job(jobs[1].id).state is JobState.READY


def test_an_idle_tenant_leaves_the_active_ones_after_an_hour(site: Site) -> None:
    job = site.plan()
    end_job(site.berth, job=job.id, fence=1, outcome=Outcome.SUCCEEDED, reason="")
    assert sweep(site.berth).forgotten == []
    site.pass_time(timedelta(hours=1, minutes=1))

    assert sweep(site.berth).forgotten == ["7"]


def test_a_sweep_ends_in_time_and_says_what_it_left(site: Site) -> None:
    """And each begins elsewhere, so that what one leaves another does."""
    for _ in range(3):
        site.plan()
    site.pass_time(_MINUTE)

    swept = sweep(replace(site.berth, clock=HurriedClock(site.clock.now())))

    assert swept.unfinished
    assert len(swept.advanced) + len(swept.closed) <= 3


def test_two_sweeps_at_once_do_no_harm(site: Site) -> None:
    job = site.plan()
    site.pass_time(timedelta(hours=1))
    _sweep_for(site, 3)
    fence = site.job(job.id).fence

    sweep(site.berth)
    sweep(site.berth)

    assert site.job(job.id).fence == fence
    host = site.queue.get_host("h1")
    assert host is not None
    assert (host.state, dict(host.jobs)) == (HostState.UP, {job.id: fence})
