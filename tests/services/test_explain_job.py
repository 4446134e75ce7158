"""Every job that is not running says why, in one sentence with facts."""

from datetime import timedelta

import pytest

from chalicelib.errors import NotFoundError
from chalicelib.model import HostState, Job, JobState, Outcome
from chalicelib.services.cancel_pipeline import cancel_job
from chalicelib.services.dispatch_attempt import dispatch_attempt
from chalicelib.services.explain_job import explain_job
from chalicelib.services.finish_job import end_job, try_again
from tests.services.installation import Site, make_site
from tests.services.pipelines import planned


def why(site: Site, job: str) -> str:
    """Return the sentence."""
    return explain_job(site.berth, job).sentence


def two_behind(site: Site) -> tuple[Job, Job]:
    """Plan three jobs, a second apart; return the two that wait for the first."""
    jobs = []
    for _ in range(3):
        jobs.append(site.plan())
        site.pass_time(timedelta(seconds=1))
    return jobs[1], jobs[2]


def test_a_waiting_job_names_what_it_needs_and_how_that_stands(site: Site) -> None:
    pipeline = planned(site)
    build, lint, _, deploy = pipeline.jobs

    assert why(site, lint.id) == "needs build (leased)"
    assert why(site, deploy.id) == "needs lint (waiting) and unit (waiting)"
    assert explain_job(site.berth, deploy.id).job.state is JobState.WAITING
    end_job(site.berth, job=build.id, fence=1, outcome=Outcome.FAILED, reason="")
    assert why(site, deploy.id) == "cancelled: needs lint, which did not run"


def test_a_pending_job_says_how_full_its_tenant_is_and_who_is_ahead() -> None:
    site = make_site(tenant_limit=1)
    first, second = two_behind(site)

    assert why(site, first.id) == "tenant 7 at 1 of 1 slots; it is next"
    assert why(site, second.id) == "tenant 7 at 1 of 1 slots; 1 ahead of it"
    site.queue.put_tenant_limit("7", limit=2)
    assert "has room again" in why(site, first.id)


def test_a_ready_job_says_how_full_its_pool_is_and_who_is_ahead() -> None:
    site = make_site(slots=1)
    first, second = two_behind(site)

    assert why(site, first.id) == "pool default: 1 of 1 slots taken on 1 host; it is next"
    assert why(site, second.id) == "pool default: 1 of 1 slots taken on 1 host; 1 ahead of it"


@pytest.mark.parametrize("state", [HostState.DRAINING, HostState.LOST])
def test_a_ready_job_without_a_host_says_what_became_of_the_hosts(
    site: Site, state: HostState
) -> None:
    site.queue.set_host_state("h1", state)

    assert why(site, site.plan().id) == f"pool default: no host is up (1 {state.value})"


def test_a_ready_job_says_that_its_pool_is_paused_or_broken(site: Site) -> None:
    site.queue.pause("default", reason="new image")
    job = site.plan()
    assert why(site, job.id) == "pool default: paused: new image"
    site.queue.pause("default", reason="")
    for _ in range(3):
        site.queue.note_failure("default", reason="no image base", now=site.clock.now())

    sentence = "pool default: no claims until 00:00:30 UTC after 3 failures: no image base"
    assert why(site, job.id) == sentence


def test_a_requeued_job_tells_of_its_last_attempt(site: Site) -> None:
    job = site.plan()
    site.queue.pause(None, reason="maintenance")

    try_again(site.berth, job, reason="host h1 was lost")

    sentence = "pool default: paused: maintenance; last attempt: host h1 was lost"
    assert why(site, job.id) == sentence


def test_a_job_on_its_way_says_where(site: Site) -> None:
    job = site.plan()
    assert why(site, job.id) == "its container is being made on h1 since 00:00:00 UTC"

    dispatch_attempt(site.berth, job=job.id, fence=1, task_token="t")  # noqa: S106 - a stand-in
    assert why(site, job.id) == ""
    cancel_job(site.berth, job.id, reason="by mia")
    assert why(site, job.id) == "it is being stopped on h1: by mia"
    end_job(site.berth, job=job.id, fence=1, outcome=Outcome.CANCELLED, reason="")
    assert why(site, job.id) == "cancelled: by mia"


def test_the_timeline_begins_with_the_delivery(site: Site) -> None:
    job = site.plan()

    hops = [hop for hop, _ in explain_job(site.berth, job.id).timeline]

    assert hops == ["received", "planned", "admitted", "ready", "claimed"]


def test_an_unknown_job_is_not_found(site: Site) -> None:
    with pytest.raises(NotFoundError, match="no job xxxx"):
        explain_job(site.berth, "x" * 16)
