"""Auto-cancel: a newer push ends what older heads of its ref still do, in whatever order they come."""

from dataclasses import replace

import pytest

from chalicelib.errors import FenceLostError
from chalicelib.model import Outcome, Pipeline, PipelineState, Source, pipeline_id
from chalicelib.services.dispatch_attempt import dispatch_attempt
from chalicelib.services.plan_pipeline import plan_pipeline
from chalicelib.services.supersede_pipeline import group_of
from chalicelib.services.sweep import sweep
from tests.services.installation import CONFIG, Site
from tests.services.pipelines import found

TOPIC = "refs/heads/topic"


def push(
    site: Site, before: str, after: str, *, ref: str = TOPIC, default_branch: str = "main"
) -> Pipeline:
    """Receive a push of one letter's commit after another's."""
    source = Source(
        repository="o/r",
        repository_id="1",
        clone_url="http://forge/o/r.git",
        sha=after * 40,
        ref=ref,
        before=before * 40,
        default_branch=default_branch,
    )
    site.github.put_file("o/r", source.sha, ".circleci/config.yml", CONFIG)
    pipeline = Pipeline(
        id=pipeline_id(
            installation="7", repository_id="1", event="push", head_sha=after, ref=ref, rerun=0
        ),
        tenant="7",
        event="push",
        source=source,
        delivery=after,
        received_at=site.clock.now(),
    )
    site.pipelines.put_pipeline(pipeline)
    return pipeline


def outcome(site: Site, pipeline: Pipeline) -> Outcome | None:
    """Return how the pipeline ended, if it has."""
    return found(site, pipeline.id).outcome


def test_a_newer_push_supersedes_the_jobs_of_the_older_one(site: Site) -> None:
    older, newer = push(site, "0", "a"), push(site, "a", "b")
    plan_pipeline(site.berth, older.id)

    plan_pipeline(site.berth, newer.id)

    [job] = site.jobs(older.id)
    assert job.cancelled_as is Outcome.SUPERSEDED
    assert outcome(site, newer) is None


def test_an_older_push_that_comes_late_is_superseded_itself(site: Site) -> None:
    older, newer = push(site, "0", "a"), push(site, "a", "b")
    site.github.put_head("o/r", TOPIC, "b" * 40)
    plan_pipeline(site.berth, newer.id)

    plan_pipeline(site.berth, older.id)

    assert outcome(site, older) is Outcome.SUPERSEDED
    assert outcome(site, newer) is None
    assert found(site, older.id).jobs == ()


def test_after_a_forced_push_github_says_which_is_newest(site: Site) -> None:
    older, forced = push(site, "0", "a"), push(site, "x", "c")
    plan_pipeline(site.berth, older.id)
    site.github.put_head("o/r", TOPIC, "c" * 40)

    plan_pipeline(site.berth, forced.id)

    assert site.jobs(older.id)[0].cancelled_as is Outcome.SUPERSEDED
    assert outcome(site, forced) is None


def test_a_push_that_is_not_the_head_any_more_waits_for_nothing(site: Site) -> None:
    """The head's own delivery is still to come; both that are known are superfluous."""
    first, second = push(site, "0", "a"), push(site, "x", "c")
    plan_pipeline(site.berth, first.id)
    site.github.put_head("o/r", TOPIC, "d" * 40)
    plan_pipeline(site.berth, second.id)

    head = push(site, "c", "d")
    plan_pipeline(site.berth, head.id)

    assert outcome(site, second) is Outcome.SUPERSEDED
    assert site.jobs(first.id)[0].cancelled_as is Outcome.SUPERSEDED
    assert outcome(site, head) is None


def test_planning_again_cancels_again_what_a_killed_planner_did_not(site: Site) -> None:
    older, newer = push(site, "0", "a"), push(site, "a", "b")
    plan_pipeline(site.berth, older.id)
    group = group_of(newer)
    assert group is not None
    site.queue.advance_group(
        group, seen="a" * 40, sha="b" * 40, pipeline=newer.id, now=site.clock.now()
    )

    plan_pipeline(site.berth, newer.id)

    assert site.jobs(older.id)[0].cancelled_as is Outcome.SUPERSEDED


def test_a_superseded_job_that_nobody_cancelled_is_not_started(site: Site) -> None:
    older, newer = push(site, "0", "a"), push(site, "a", "b")
    plan_pipeline(site.berth, older.id)
    [job] = site.jobs(older.id)
    group = group_of(newer)
    assert group is not None
    site.queue.advance_group(
        group, seen="a" * 40, sha="b" * 40, pipeline=newer.id, now=site.clock.now()
    )

    with pytest.raises(FenceLostError):
        dispatch_attempt(site.berth, job=job.id, fence=1, task_token="t")  # noqa: S106 - a stand-in

    assert site.job(job.id).outcome is Outcome.SUPERSEDED
    assert site.slots_taken() == 0
    assert outcome(site, older) is Outcome.SUPERSEDED
    assert site.host.attempts() == []


def test_the_sweeper_ends_what_no_planner_has_cancelled(site: Site) -> None:
    """Two pushes on, the planner of the one between was killed: nobody names the oldest any more."""
    oldest = push(site, "0", "a")
    plan_pipeline(site.berth, oldest.id)
    group = group_of(oldest)
    assert group is not None
    now = site.clock.now()
    site.queue.advance_group(group, seen="a" * 40, sha="b" * 40, pipeline="killed", now=now)
    site.queue.advance_group(group, seen="b" * 40, sha="c" * 40, pipeline="newest", now=now)
    site.pass_time(site.berth.policy.sweep_period)

    swept = sweep(site.berth)

    assert oldest.id in swept.closed
    assert site.jobs(oldest.id)[0].cancelled_as is Outcome.SUPERSEDED


@pytest.mark.parametrize(
    "change",
    [
        {"ref": "refs/heads/main"},
        {"default_branch": ""},
    ],
    ids=["default branch", "no default branch known"],
)
def test_default_branches_are_never_superseded(site: Site, change: dict[str, str]) -> None:
    older, newer = push(site, "0", "a", **change), push(site, "a", "b", **change)
    for pipeline in (older, newer):
        plan_pipeline(site.berth, pipeline.id)

    assert site.jobs(older.id)[0].cancelled_as is None


def test_reruns_and_pull_requests_know_their_group(site: Site) -> None:
    pipeline = push(site, "0", "a", ref="refs/pull/7")

    assert group_of(pipeline) is not None
    assert group_of(replace(pipeline, rerun=1)) is None
    assert pipeline.state is PipelineState.RECEIVED
