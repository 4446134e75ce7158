"""Running a pipeline again: all of it, what failed, or one job."""

from datetime import timedelta

import pytest

from chalicelib.errors import NotFoundError, PayloadError
from chalicelib.model import Outcome, Pipeline
from chalicelib.services.plan_pipeline import plan_pipeline
from chalicelib.services.rerun_pipeline import rerun_pipeline
from tests.services.installation import Site, make_site
from tests.services.pipelines import end, found, planned, states


@pytest.fixture
def site() -> Site:
    """An installation with room for all."""
    return make_site(slots=8, tenant_limit=8)


def failed_at_unit(site: Site) -> Pipeline:
    """Return an ended pipeline of which build and lint succeeded, and unit failed."""
    pipeline = planned(site)
    end(site, pipeline, "build")
    end(site, pipeline, "lint")
    end(site, pipeline, "unit", outcome=Outcome.FAILED)
    return found(site, pipeline.id)


def again(
    site: Site, pipeline: Pipeline, *, failed: bool = False, job: str | None = None
) -> Pipeline:
    """Run it again and plan that; return the new pipeline."""
    received = rerun_pipeline(site.berth, pipeline.id, only_failed=failed, only_job=job)
    plan_pipeline(site.berth, received.pipeline)
    return found(site, received.pipeline)


def test_a_rerun_runs_every_job_of_the_same_commit_anew(site: Site) -> None:
    old = failed_at_unit(site)

    new = again(site, old)

    assert (new.source, new.rerun) == (old.source, old.rerun + 1)
    assert states(site, new) == {"build": "leased"}
    assert not {ref.id for ref in new.jobs} & {ref.id for ref in old.jobs}


def test_a_rerun_of_failed_jobs_takes_the_others_as_they_ended(site: Site) -> None:
    old = failed_at_unit(site)

    new = again(site, old, failed=True)

    assert states(site, new) == {"build": "succeeded", "lint": "succeeded", "unit": "leased"}
    end(site, new, "unit")
    end(site, new, "deploy")
    assert found(site, new.id).outcome is Outcome.SUCCEEDED
    assert found(site, old.id).outcome is Outcome.FAILED


def test_a_rerun_of_one_job_runs_it_alone_whatever_it_needs(site: Site) -> None:
    old = failed_at_unit(site)

    new = again(site, old, job="deploy")

    assert states(site, new) == {"deploy": "leased"}
    assert [ref.needs for ref in new.jobs] == [()]


def test_a_rerun_that_is_open_is_the_answer_again(site: Site) -> None:
    """Whoever presses twice gets one pipeline."""
    old = failed_at_unit(site)
    first = rerun_pipeline(site.berth, old.id, only_failed=True)

    second = rerun_pipeline(site.berth, old.id, only_failed=True)

    assert (first.duplicate, second.duplicate) == (False, True)
    assert first.pipeline == second.pipeline
    assert site.sequencer.planned.count(first.pipeline) == 1


def test_another_kind_of_rerun_is_another_pipeline(site: Site) -> None:
    old = failed_at_unit(site)

    ids = {
        rerun_pipeline(site.berth, old.id).pipeline,
        rerun_pipeline(site.berth, old.id, only_failed=True).pipeline,
        rerun_pipeline(site.berth, old.id, only_job="unit").pipeline,
    }

    assert len(ids) == 3


def test_a_rerun_can_be_run_again(site: Site) -> None:
    old = failed_at_unit(site)
    new = again(site, old, failed=True)
    end(site, new, "unit", outcome=Outcome.FAILED)

    third = again(site, found(site, new.id), failed=True)

    assert states(site, third)["unit"] == "leased"
    assert states(site, third)["build"] == "succeeded"


def test_what_has_not_ended_has_no_failed_jobs_to_run_again(site: Site) -> None:
    pipeline = planned(site)

    with pytest.raises(PayloadError, match="has not ended"):
        rerun_pipeline(site.berth, pipeline.id, only_failed=True)


def test_what_is_about_to_be_forgotten_is_not_taken_over(site: Site) -> None:
    old = failed_at_unit(site)
    site.pass_time(timedelta(days=81))

    with pytest.raises(PayloadError, match="80 days"):
        rerun_pipeline(site.berth, old.id, only_failed=True)
    assert states(site, again(site, old)) == {"build": "leased"}


def test_an_unknown_pipeline_or_job_is_named(site: Site) -> None:
    pipeline = planned(site)

    with pytest.raises(NotFoundError, match="build, lint, unit, deploy"):
        rerun_pipeline(site.berth, pipeline.id, only_job="nosuch")
    with pytest.raises(NotFoundError, match="no pipeline"):
        rerun_pipeline(site.berth, "x" * 16)
    with pytest.raises(PayloadError, match="not both"):
        rerun_pipeline(site.berth, pipeline.id, only_job="build", only_failed=True)
