"""The callbacks of supervisors: only the live attempt's ticket opens them."""

import base64
import json
import zlib
from typing import Any

import pytest

from chalicelib.model import Job, JobState, Outcome
from chalicelib.services.cancel_pipeline import cancel_pipeline
from chalicelib.services.recover_attempt import recover_attempt
from tests.entrypoints.browser import BEARER, Application


def _report(**changes: Any) -> bytes:
    return json.dumps(
        {"version": 1, "heartbeat": True, "steps": [], "output": [], **changes}
    ).encode()


def _result(outcome: str = "succeeded") -> bytes:
    return json.dumps({"version": 1, "outcome": outcome, "reason": "", "steps": []}).encode()


def _chunk(raw: bytes) -> dict[str, Any]:
    return {"step": 0, "offset": 0, "data": base64.b64encode(zlib.compress(raw)).decode()}


def _path(job: Job, what: str) -> str:
    return f"/attempts/{job.id}/{job.fence}/{what}"


def test_a_report_is_stored_and_seen_through_the_log_api(application: Application) -> None:
    job = application.running_job()
    body = _report(output=[_chunk(b"\x1b[32mok\x1b[0m\xff")])

    answer = application.ask(
        "POST", _path(job, "report"), body=body, headers=application.ticket(job)
    )

    assert (answer.status_code, answer.json_body) == (200, {"cancelling": False})
    log = application.ask("GET", f"/api/jobs/{job.id}/log", headers=BEARER).json_body
    assert base64.b64decode(log["output"][0]["data"]) == b"\x1b[32mok\x1b[0m\xff"
    assert log["ended"] is False


def test_a_cancelled_job_is_told_by_the_answer(application: Application) -> None:
    job = application.running_job()
    ticket = application.ticket(job)
    cancel_pipeline(application.site.berth, job.pipeline)

    answer = application.ask("POST", _path(job, "report"), body=_report(), headers=ticket)

    assert answer.json_body == {"cancelling": True}


def test_a_result_wakes_the_waiting_task(application: Application) -> None:
    job = application.running_job()

    answer = application.ask(
        "PUT", _path(job, "result"), body=_result(), headers=application.ticket(job)
    )

    assert answer.status_code == 200
    assert application.site.sequencer.waiting == set()
    stored = application.site.logs.get_result(job.id, 1)
    assert stored is not None
    assert stored.outcome is Outcome.SUCCEEDED


def test_an_old_attempt_is_told_to_stop(application: Application) -> None:
    job = application.running_job()
    ticket = application.ticket(job)
    recover_attempt(application.site.berth, job=job.id, fence=1, cause="lost")

    answers = [
        application.ask("POST", _path(job, "report"), body=_report(), headers=ticket),
        application.ask("PUT", _path(job, "result"), body=_result("failed"), headers=ticket),
    ]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert application.site.job(job.id).state is JobState.LEASED


@pytest.mark.parametrize("headers", [{}, BEARER, {"Authorization": "Bearer x.y"}])
def test_nothing_but_its_ticket_opens_an_attempt(
    application: Application, headers: dict[str, str]
) -> None:
    job = application.running_job()

    answer = application.ask("POST", _path(job, "report"), body=_report(), headers=headers)

    assert answer.status_code == 401


def test_a_ticket_does_not_open_pages_or_api(application: Application) -> None:
    job = application.running_job()

    answer = application.ask(
        "GET", f"/api/pipelines/{job.pipeline}", headers=application.ticket(job)
    )

    assert answer.status_code == 401


@pytest.mark.parametrize(
    "path", ["/attempts/x/1/report", "/attempts/abcdefghijklmnop/0/report", "/attempts/a/b/report"]
)
def test_a_malformed_attempt_is_refused(application: Application, path: str) -> None:
    assert application.ask("POST", path, body=_report()).status_code == 401


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"\xff", b"[" * 100_000])
def test_a_malformed_report_is_refused(application: Application, body: bytes) -> None:
    job = application.running_job()

    answer = application.ask(
        "POST", _path(job, "report"), body=body, headers=application.ticket(job)
    )

    assert answer.status_code == 400
