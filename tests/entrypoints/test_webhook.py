"""The webhook: signed deliveries become pipelines once, everything else gets a reason."""

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from chalicelib import wiring
from chalicelib.errors import StoreUnavailableError
from chalicelib.keyring.protocol import Keys, Secret
from chalicelib.model import Pipeline, PipelineState
from chalicelib.queue.dynamodb_pipelines import DynamoPipelines
from chalicelib.queue.memory import memory_table
from tests.entrypoints.browser import PUSH, Application

_CASES = Path(__file__).resolve().parents[3] / "shared/cases/github-webhooks"
_PAYLOADS = sorted(_CASES.glob("*/*.json")) if _CASES.is_dir() else []


def test_a_push_becomes_a_pipeline(application: Application) -> None:
    answer = application.deliver()

    assert answer.status_code == 202
    pipeline = application.site.pipelines.get_pipeline(answer.json_body["pipeline"])
    assert pipeline is not None
    assert pipeline.state is PipelineState.RECEIVED
    assert pipeline.source.title == "Fix the gate"
    assert application.site.sequencer.planned == [pipeline.id]


def test_a_redelivery_finds_the_same_pipeline_and_plans_nothing(application: Application) -> None:
    first = application.deliver()

    again = application.deliver(delivery="delivery-2")

    assert again.status_code == 200
    assert again.json_body == {"pipeline": first.json_body["pipeline"], "duplicate": True}
    assert len(application.site.sequencer.planned) == 1


def test_a_wrong_signature_is_refused_and_nothing_is_stored(application: Application) -> None:
    answer = application.deliver(secret="wrong")  # noqa: S106 - that is the point

    assert answer.status_code == 401
    assert application.site.pipelines.list_pipelines().pipelines == ()


def test_an_unsigned_delivery_is_refused(application: Application) -> None:
    body = json.dumps(PUSH).encode()

    answer = application.ask(
        "POST", "/webhooks/github", body=body, headers={"X-GitHub-Event": "push"}
    )

    assert answer.status_code == 401


def test_both_secrets_are_accepted_during_a_rotation(application: Application) -> None:
    keyring = application.site.keyring
    keyring.held = Keys(
        webhook=(Secret("new"), Secret("old")), ticket=keyring.held.ticket, page=keyring.held.page
    )

    statuses = [application.deliver(secret=secret).status_code for secret in ("new", "old")]

    assert statuses == [202, 200]


def test_a_ping_is_answered(application: Application) -> None:
    answer = application.deliver({"zen": "Keep it logically awesome."}, event="ping")

    assert (answer.status_code, answer.json_body) == (200, {"pong": True})


def test_a_form_encoded_delivery_is_read(application: Application) -> None:
    """GitHub offers this content type, and the signature is over the form."""
    body = urlencode({"payload": json.dumps(PUSH)}).encode()

    answer = application.deliver(body, content_type="application/x-www-form-urlencoded")

    assert answer.status_code == 202


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(application: Application, body: bytes) -> None:
    answer = application.deliver(body)

    assert answer.status_code == 400
    assert "Traceback" not in answer.body.decode()


def test_a_body_over_the_platforms_limit_is_refused(application: Application) -> None:
    answer = application.deliver(b'{"a": "' + b"x" * (6 * 1024 * 1024) + b'"}')

    assert answer.status_code == 413


def test_a_store_that_is_away_is_a_503_and_github_may_redeliver(application: Application) -> None:
    class Away(DynamoPipelines):
        def put_pipeline(self, pipeline: Pipeline) -> bool:
            raise StoreUnavailableError(reason=f"throttled at {pipeline.id}")

    with wiring.using(replace(application.site.berth, pipelines=Away(memory_table()))):
        answer = application.deliver()

    assert answer.status_code == 503
    assert "throttled" not in answer.body.decode()


def test_an_ignored_event_says_why(application: Application) -> None:
    answer = application.deliver({"action": "created"}, event="star")

    assert answer.status_code == 200
    assert answer.json_body["ignored"]


@pytest.mark.skipif(not _PAYLOADS, reason="the real payloads are not beside this checkout")
def test_every_real_payload_is_answered_2xx(application: Application) -> None:
    answers = {
        str(path.relative_to(_CASES)): application.deliver(
            path.read_bytes(), event=path.parent.name
        )
        for path in _PAYLOADS
    }

    refused = {name: each.status_code for name, each in answers.items() if each.status_code >= 300}
    assert refused == {}
    assert any(each.status_code == 202 for each in answers.values())
