"""Pages and API: closed to strangers, whole for those who signed in."""

from datetime import timedelta

import pytest

from chalicelib.keyring.signing import SIGN_IN, seal_code
from chalicelib.model import Job, Outcome, OutputChunk, StepRecord, StepState
from chalicelib.services.finish_job import end_job
from tests.entrypoints.browser import BEARER, PAGE_TOKEN, Application
from tests.services.pipelines import DIAMOND, end, planned

_HTML = {"Accept": "text/html"}


def _sign_in_path(application: Application) -> str:
    berth = application.site.berth
    now = berth.clock.now()
    key = berth.keyring.keys(now=now).page
    code = seal_code(SIGN_IN, "nonce-of-link", key, expires=now + timedelta(minutes=10))
    return f"/login?code={code}"


def _sign_in(application: Application) -> dict[str, str]:
    answer = application.ask("GET", _sign_in_path(application))
    assert answer.status_code == 303
    return {"Cookie": str(answer.headers["Set-Cookie"]).partition(";")[0]}


def _printed(application: Application, text: bytes) -> Job:
    job = application.running_job()
    step = StepRecord(index=0, name="Checkout code", state=StepState.RUNNING, started_at_ms=1)
    chunk = OutputChunk(step=0, offset=0, data=text)
    application.site.logs.append(job.id, 1, steps=[step], output=[chunk])
    return job


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/pipelines/x",
        "/pipelines/x/live",
        "/jobs/x/log",
        "/api/pipelines",
        "/api/pipelines/x",
        "/api/jobs/x",
        "/api/queue",
        "/api/jobs/x/log",
    ],
)
@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer wrong"}, {"Cookie": "berth=forged"}, {"Cookie": "\x00=;;"}],
)
def test_a_stranger_sees_nothing(
    application: Application, path: str, headers: dict[str, str]
) -> None:
    assert application.ask("GET", path, headers=headers).status_code == 401


def test_a_stranger_with_a_browser_is_asked_for_the_token(application: Application) -> None:
    answer = application.ask("GET", "/", headers=_HTML)

    assert answer.status_code == 401
    assert b"<form" in answer.body


def test_a_sign_in_link_works_once(application: Application) -> None:
    cookie = _sign_in(application)

    again = application.ask("GET", _sign_in_path(application))

    assert application.ask("GET", "/", headers=cookie).status_code == 200
    assert again.status_code == 401
    assert "Set-Cookie" not in again.headers


def test_the_token_signs_in_by_the_form(application: Application) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    right = application.ask("POST", "/login", body=f"token={PAGE_TOKEN}".encode(), headers=form)
    wrong = application.ask("POST", "/login", body=b"token=guess", headers=form)

    assert (right.status_code, wrong.status_code) == (303, 401)
    assert "HttpOnly" in right.headers["Set-Cookie"]


def test_a_session_ends(application: Application) -> None:
    cookie = _sign_in(application)
    application.site.pass_time(timedelta(days=31))

    assert application.ask("GET", "/", headers=cookie).status_code == 401


def test_a_cookie_never_authorises_a_change(application: Application) -> None:
    job = application.running_job()
    cookie = _sign_in(application)

    refused = application.ask("POST", f"/api/pipelines/{job.pipeline}/cancel", headers=cookie)
    done = application.ask("POST", f"/api/pipelines/{job.pipeline}/cancel", headers=BEARER)

    assert (refused.status_code, done.status_code) == (401, 200)
    assert done.json_body == {"cancelled": 1}


def test_the_list_links_to_the_pipeline(application: Application) -> None:
    job = application.running_job()

    answer = application.ask("GET", "/", headers=BEARER)

    assert f'href="pipelines/{job.pipeline}"'.encode() in answer.body


def test_the_page_shows_output_escaped(application: Application) -> None:
    job = _printed(application, b"<script>alert(1)</script>\x1b[31mred\x1b[0m\xff\n")

    answer = application.ask("GET", f"/pipelines/{job.pipeline}", headers=BEARER)

    page = answer.body.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_the_live_part_brings_what_is_new(application: Application) -> None:
    job = _printed(application, b"first\n")
    path = f"/pipelines/{job.pipeline}/live"
    first = application.ask("GET", path, headers=BEARER).json_body
    chunk = OutputChunk(step=0, offset=6, data=b"second\n")
    application.site.logs.append(job.id, 1, steps=[], output=[chunk])

    news = application.ask("GET", f"{path}?after={first['next']}", headers=BEARER).json_body

    appended = news["jobs"][0]["steps"][0]["append"]
    assert "second" in appended
    assert "first" not in appended


def test_a_steps_whole_log_is_plain_text(application: Application) -> None:
    job = _printed(application, b"plain <b>text</b>\xff\n")

    answer = application.ask("GET", f"/jobs/{job.id}/log?step=0", headers=BEARER)

    assert answer.body.decode() == "plain <b>text</b>\ufffd\n"
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_api_tells_hops_and_what_a_job_waits_for(application: Application) -> None:
    for _ in range(2):
        application.site.plan()
    waiting = application.site.plan()

    shown = application.ask("GET", f"/api/pipelines/{waiting.pipeline}", headers=BEARER).json_body

    job = shown["jobs"][0]
    assert job["waits_for"] == "pool default: 2 of 2 slots taken on 1 host; it is next"
    assert list(job["hops"]) == ["admitted", "ready"]


def test_a_page_shows_jobs_that_wait_for_others_and_goes_on_when_they_run(
    application: Application,
) -> None:
    pipeline = planned(application.site, DIAMOND)
    path = f"/pipelines/{pipeline.id}"
    page = application.ask("GET", path, headers=BEARER).body.decode()
    first = application.ask("GET", f"{path}/live", headers=BEARER).json_body
    end(application.site, pipeline, "build")

    news = application.ask("GET", f"{path}/live?after={first['next']}", headers=BEARER).json_body

    assert "needs lint (waiting) and unit (waiting)" in page
    changed = [bool(job.get("html")) for job in news["jobs"]]
    assert changed == [False, True, True, False]
    assert "needs lint (leased) and unit (leased)" in news["jobs"][3]["head"]


def test_an_ended_job_says_so_to_a_follower(application: Application) -> None:
    job = _printed(application, b"bye\n")
    end_job(application.site.berth, job=job.id, fence=1, outcome=Outcome.FAILED, reason="exit 1")

    log = application.ask("GET", f"/api/jobs/{job.id}/log", headers=BEARER).json_body

    assert (log["ended"], log["more"], log["job"]["outcome"]) == (True, False, "failed")


@pytest.mark.parametrize(
    "path",
    [
        "/pipelines/unknown",
        f"/pipelines/{'a' * 16}",
        f"/pipelines/{'a' * 5000}",
        "/jobs/unknown/log?step=0",
        f"/jobs/{'a' * 16}/log?step=0",
        "/static/passwd",
    ],
    ids=range(6),
)
def test_what_is_not_there_is_a_404(application: Application, path: str) -> None:
    assert application.ask("GET", path, headers=BEARER).status_code == 404


@pytest.mark.parametrize(
    "path", ["/?after=%00", "/api/pipelines?cursor=garbage", "/pipelines/{pipeline}/live?after=x"]
)
def test_a_garbled_cursor_is_refused(application: Application, path: str) -> None:
    job = application.running_job()

    answer = application.ask("GET", path.format(pipeline=job.pipeline), headers=BEARER)

    assert answer.status_code == 400


def test_static_files_need_no_token_and_health_neither(application: Application) -> None:
    assert application.ask("GET", "/static/berth.css").status_code == 200
    assert application.ask("GET", "/health").json_body == {"status": "ok"}
