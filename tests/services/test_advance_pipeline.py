"""Job graphs: each job is admitted once, after all that it needs, whoever is killed in between."""

from chalicelib.model import JobState, Outcome, PipelineState
from chalicelib.services.advance_pipeline import advance_pipeline
from chalicelib.services.cancel_pipeline import cancel_job, cancel_pipeline
from tests.services.installation import Site, make_site
from tests.services.pipelines import end, fan, found, planned, states


def test_only_what_needs_nothing_is_admitted_at_first(site: Site) -> None:
    assert states(site, planned(site)) == {"build": "leased"}


def test_a_job_is_admitted_with_the_success_of_its_last_need() -> None:
    site = make_site(slots=4, tenant_limit=4)
    pipeline = planned(site)

    end(site, pipeline, "build")
    assert states(site, pipeline) == {"build": "succeeded", "lint": "leased", "unit": "leased"}
    end(site, pipeline, "lint")
    assert "deploy" not in states(site, pipeline)
    end(site, pipeline, "unit")

    assert states(site, pipeline)["deploy"] == "leased"
    end(site, pipeline, "deploy")
    assert found(site, pipeline.id).outcome is Outcome.SUCCEEDED


def test_what_needs_a_failed_job_ends_with_the_reason_and_the_rest_goes_on() -> None:
    site = make_site(slots=4, tenant_limit=4)
    pipeline = planned(site)
    end(site, pipeline, "build")

    end(site, pipeline, "lint", outcome=Outcome.FAILED)

    assert states(site, pipeline)["deploy"] == "cancelled"
    deploy = site.job(pipeline.jobs[3].id)
    assert deploy.reason == "needs lint, which failed"
    assert found(site, pipeline.id).state is PipelineState.PLANNED
    end(site, pipeline, "unit")
    ended = found(site, pipeline.id)
    assert (ended.outcome, ended.reason) == (Outcome.FAILED, "lint: made up")


def test_advancing_again_changes_nothing(site: Site) -> None:
    pipeline = planned(site)
    before = states(site, pipeline)

    again = advance_pipeline(site.berth, pipeline.id)

    assert (again.ready, again.pending, again.outcome) == ((), (), None)
    assert states(site, pipeline) == before
    assert len(site.sequencer.started) == 1


def test_a_hundred_jobs_fan_out_and_in() -> None:
    site = make_site(slots=200, tenant_limit=200)
    pipeline = planned(site, fan(100))

    end(site, pipeline, "first")
    middle = [ref.name for ref in pipeline.jobs if ref.needs and ref.name != "last"]
    assert [states(site, pipeline)[name] for name in middle] == ["leased"] * 100
    for name in middle:
        assert "last" not in states(site, pipeline)
        end(site, pipeline, name)

    assert states(site, pipeline)["last"] == "leased"
    assert len(site.sequencer.started) == len(set(site.sequencer.started)) == 102


def test_a_cancelled_pipeline_runs_none_of_its_waiting_jobs(site: Site) -> None:
    pipeline = planned(site)

    assert cancel_pipeline(site.berth, pipeline.id, reason="by mia") == 4
    end(site, pipeline, "build")

    ended = found(site, pipeline.id)
    assert (ended.outcome, ended.reason) == (Outcome.CANCELLED, "build: by mia")
    assert set(states(site, pipeline).values()) == {"cancelled"}
    assert len(site.sequencer.started) == 1


def test_cancelling_a_pipeline_twice_changes_nothing_more(site: Site) -> None:
    pipeline = planned(site)
    cancel_pipeline(site.berth, pipeline.id)
    end(site, pipeline, "build")

    assert cancel_pipeline(site.berth, pipeline.id) == 0


def test_a_waiting_job_can_be_cancelled_alone() -> None:
    site = make_site(slots=4, tenant_limit=4)
    pipeline = planned(site)
    lint = pipeline.jobs[1]

    cancelled = cancel_job(site.berth, lint.id, reason="by mia")

    assert (cancelled.state, cancelled.reason) == (JobState.DONE, "by mia")
    assert site.job(pipeline.jobs[3].id).reason == "needs lint, which was cancelled"
    end(site, pipeline, "build")
    assert states(site, pipeline)["unit"] == "leased"


def test_a_job_of_a_full_tenant_is_admitted_when_its_turn_comes() -> None:
    site = make_site(slots=4, tenant_limit=1)
    pipeline = planned(site)

    end(site, pipeline, "build")
    assert sorted(states(site, pipeline).values()) == ["leased", "pending", "succeeded"]
    live = next(name for name, state in states(site, pipeline).items() if state == "leased")
    end(site, pipeline, live)

    assert sorted(states(site, pipeline).values()) == ["leased", "succeeded", "succeeded"]
