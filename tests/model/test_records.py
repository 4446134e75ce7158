import pytest

from chalicelib.model import Job, JobState, Outcome, Source, pipeline_outcome


def _job(name: str, outcome: Outcome | None, reason: str = "") -> Job:
    state = JobState.RUNNING if outcome is None else JobState.DONE
    return Job(
        id=name, name=name, pipeline="p", tenant="t", state=state, outcome=outcome, reason=reason
    )


def test_a_pipeline_has_no_outcome_while_a_job_runs() -> None:
    jobs = [_job("a", Outcome.FAILED), _job("b", None)]

    assert pipeline_outcome(jobs) is None


def test_a_pipeline_succeeds_when_all_jobs_do() -> None:
    assert pipeline_outcome([_job("a", Outcome.SUCCEEDED)]) == (Outcome.SUCCEEDED, "")


def test_the_worst_job_gives_outcome_and_reason() -> None:
    jobs = [
        _job("a", Outcome.SUCCEEDED),
        _job("b", Outcome.INFRASTRUCTURE, "host lost"),
        _job("c", Outcome.FAILED, "step 'Tests' exited with 1"),
    ]

    assert pipeline_outcome(jobs) == (Outcome.FAILED, "c: step 'Tests' exited with 1")


@pytest.mark.parametrize(
    ("ref", "branch"),
    [("refs/heads/feature/x", "feature/x"), ("refs/tags/v1", ""), ("refs/pull/7", "")],
)
def test_only_a_branch_has_a_branch_name(ref: str, branch: str) -> None:
    source = Source(
        repository="o/r", repository_id="1", clone_url="http://x/o/r.git", sha="a" * 40, ref=ref
    )

    assert source.branch == branch
