"""Jobs and re-runs over the API: what a job waits for, cancelling one, running a pipeline again."""

import json
from typing import Any

import pytest

from chalicelib.model import Outcome, Pipeline
from tests.entrypoints.browser import BEARER, Application
from tests.services.pipelines import DIAMOND, end, planned, states


@pytest.fixture
def diamond(application: Application) -> Pipeline:
    """A planned pipeline: deploy needs lint and unit, and these need build."""
    return planned(application.site, DIAMOND)


def _job(pipeline: Pipeline, name: str) -> str:
    return next(ref.id for ref in pipeline.jobs if ref.name == name)


def _rerun(application: Application, pipeline: str, body: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    path = f"/api/pipelines/{pipeline}/rerun"
    return application.ask("POST", path, body=raw, headers=BEARER)


def test_a_waiting_job_says_what_it_needs(application: Application, diamond: Pipeline) -> None:
    path = f"/api/jobs/{_job(diamond, 'deploy')}"

    job = application.ask("GET", path, headers=BEARER).json_body

    assert (job["state"], job["needs"]) == ("waiting", ["lint", "unit"])
    assert job["why"] == "needs lint (waiting) and unit (waiting)"
    assert job["pipeline"] == diamond.id
    assert [hop for hop, _ in job["timeline"]] == ["received", "planned"]


def test_the_pipeline_shows_jobs_that_wait_with_their_needs(
    application: Application, diamond: Pipeline
) -> None:
    shown = application.ask("GET", f"/api/pipelines/{diamond.id}", headers=BEARER).json_body

    jobs = {job["name"]: job for job in shown["jobs"]}
    assert jobs["lint"]["needs"] == ["build"]
    assert jobs["lint"]["waits_for"] == "needs build (leased)"
    assert jobs["build"]["needs"] == []


def test_a_claimed_jobs_timeline_is_in_order(application: Application, diamond: Pipeline) -> None:
    path = f"/api/jobs/{_job(diamond, 'build')}"

    job = application.ask("GET", path, headers=BEARER).json_body

    hops = [hop for hop, _ in job["timeline"]]
    assert hops == ["received", "planned", "admitted", "ready", "claimed"]


def test_cancelling_a_waiting_job_ends_those_that_need_it(
    application: Application, diamond: Pipeline
) -> None:
    path = f"/api/jobs/{_job(diamond, 'lint')}/cancel"

    job = application.ask("POST", path, headers=BEARER).json_body

    assert (job["state"], job["outcome"]) == ("done", "cancelled")
    assert states(application.site, diamond) == {
        "build": "leased",
        "lint": "cancelled",
        "deploy": "cancelled",
    }


def test_a_pipeline_is_run_again_once_while_it_runs(
    application: Application, diamond: Pipeline
) -> None:
    first = _rerun(application, diamond.id, {})
    second = _rerun(application, diamond.id, b"")

    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json_body["pipeline"] not in {diamond.id, ""}
    assert second.json_body == {**first.json_body, "duplicate": True}


def test_the_failed_jobs_and_one_job_can_be_run_again(
    application: Application, diamond: Pipeline
) -> None:
    end(application.site, diamond, "build", outcome=Outcome.FAILED)

    failed = _rerun(application, diamond.id, {"only": "failed"})
    one = _rerun(application, diamond.id, {"job": "lint"})

    assert (failed.status_code, one.status_code) == (202, 202)
    assert application.site.sequencer.planned[-2:] == [
        failed.json_body["pipeline"],
        one.json_body["pipeline"],
    ]


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"only": "failed"}, 409, "has not ended"),
        ({"only": "all"}, 400, "only is not"),
        ({"only": 1}, 400, "only is not text"),
        ({"job": ""}, 400, "job is not 1 to 200"),
        ({"job": "nope"}, 404, "no job named nope; there are: build, lint, unit, deploy"),
        ({"only": "failed", "job": "lint"}, 400, "not both"),
        ({"jobs": ["lint"]}, 400, "jobs is not a field of this call; it has only, job"),
        ([], 400, "not a JSON object"),
        (b"{", 400, "not JSON"),
    ],
    ids=range(9),
)
def test_a_rerun_that_cannot_be_says_why(
    application: Application, diamond: Pipeline, body: Any, status: int, told: str
) -> None:
    answer = _rerun(application, diamond.id, body)

    assert answer.status_code == status
    assert told in answer.json_body["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/pipelines/{}"),
        ("POST", "/api/pipelines/{}/cancel"),
        ("POST", "/api/pipelines/{}/rerun"),
        ("GET", "/api/jobs/{}"),
        ("POST", "/api/jobs/{}/cancel"),
        ("GET", "/api/jobs/{}/log"),
    ],
)
@pytest.mark.parametrize("given", ["a" * 16, "A" * 16, "x", "a" * 5000, "%00"], ids=range(5))
def test_what_is_no_id_or_is_not_there_is_a_404(
    application: Application, method: str, path: str, given: str
) -> None:
    answer = application.ask(method, path.format(given), headers=BEARER)

    assert answer.status_code == 404
    assert answer.json_body["error"].startswith(("no ", "pipeline is not ", "job is not "))


@pytest.mark.parametrize("path", ["pipelines/{}/rerun", "pipelines/{}/cancel", "jobs/{}/cancel"])
def test_a_change_needs_the_token(application: Application, path: str) -> None:
    answer = application.ask("POST", "/api/" + path.format("a" * 16))

    assert answer.status_code == 401
