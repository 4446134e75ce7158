"""The queue over the API: what is shown of it, and what an operator changes."""

import json
from typing import Any

import pytest

from chalicelib.model import HostState
from tests.entrypoints.browser import BEARER, Application


def _send(application: Application, method: str, path: str, body: Any = None) -> Any:
    raw = b"" if body is None else json.dumps(body).encode()
    return application.ask(method, path, body=raw, headers=BEARER)


def _queue(application: Application) -> Any:
    return application.ask("GET", "/api/queue", headers=BEARER).json_body


def test_the_queue_shows_hosts_lanes_tenants_and_how_many_wait(application: Application) -> None:
    for _ in range(4):
        application.site.plan()

    shown = _queue(application)

    host = {"id": "h1", "state": "up", "slots": 2, "taken": 2}
    pool = {"id": "default", "lanes": 1, "paused": "", "breaker": "", "ready": 1, "hosts": [host]}
    tenant = {"id": "7", "limit": 3, "weight": 1, "running": 3, "backlog": 1}
    assert shown == {"pools": [pool], "tenants": [tenant], "more": False, "paused": ""}


def test_a_closed_breaker_is_told_apart_from_a_pause(application: Application) -> None:
    site = application.site
    for _ in range(3):
        site.queue.note_failure("default", reason="no image", now=site.clock.now())
    _send(application, "POST", "/api/pools/default/pause", {"reason": "new disk"})

    (pool,) = _queue(application)["pools"]

    assert pool["paused"] == "new disk"
    assert pool["breaker"].endswith("after 3 failures: no image")


@pytest.mark.parametrize(("path", "everything"), [("queue", "flood"), ("pools/default", "")])
def test_a_pause_keeps_jobs_waiting_until_it_is_resumed(
    application: Application, path: str, everything: str
) -> None:
    paused = _send(application, "POST", f"/api/{path}/pause", {"reason": "flood"})
    job = application.site.plan()
    shown = _queue(application)

    resumed = _send(application, "POST", f"/api/{path}/resume")

    assert paused.json_body == {"paused": "flood"}
    assert (shown["paused"], shown["pools"][0]["paused"]) == (everything, "flood")
    assert (shown["pools"][0]["ready"], resumed.json_body) == (1, {"claimed": [job.id]})
    assert _queue(application)["pools"][0]["paused"] == ""


def test_a_higher_limit_lets_waiting_jobs_run_at_once(application: Application) -> None:
    _send(application, "PUT", "/api/tenants/7", {"limit": 1, "weight": 5})
    application.site.plan()
    second = application.site.plan()

    changed = _send(application, "PUT", "/api/tenants/7", {"limit": 2})

    assert changed.json_body == {"id": "7", "limit": 2, "weight": 5, "running": 2}
    assert application.site.job(second.id).state.value == "leased"


def test_lanes_are_set(application: Application) -> None:
    answer = _send(application, "PUT", "/api/pools/default/lanes", {"lanes": 4})

    assert answer.json_body == {"id": "default", "lanes": 4}
    assert _queue(application)["pools"][0]["lanes"] == 4


def test_a_drained_host_takes_jobs_again_at_once_when_it_is_resumed(
    application: Application,
) -> None:
    drained = _send(application, "POST", "/api/hosts/h1/drain").json_body
    job = application.site.plan()
    waiting = application.site.job(job.id).state.value

    resumed = _send(application, "POST", "/api/hosts/h1/resume").json_body

    assert (drained["state"], waiting) == (HostState.DRAINING.value, "ready")
    assert (resumed["state"], resumed["taken"]) == (HostState.UP.value, 1)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "told"),
    [
        ("PUT", "tenants/7", {}, 400, "limit is not a whole number"),
        ("PUT", "tenants/7", {"limit": "8"}, 400, "limit is not a whole number"),
        ("PUT", "tenants/7", {"limit": True}, 400, "limit is not a whole number"),
        ("PUT", "tenants/7", {"limit": -1}, 400, "limit is not a whole number"),
        ("PUT", "tenants/7", {"limit": 4001}, 400, "a limit is 0 to 4000 slots"),
        ("PUT", "tenants/7", {"limit": 1, "weight": 0}, 400, "a weight is 1 to 1000"),
        ("PUT", "tenants/7", {"limits": 1}, 400, "limits is not a field of this call"),
        ("PUT", "tenants/-", {"limit": 1}, 400, "tenant is not a name"),
        ("PUT", f"tenants/{'a' * 65}", {"limit": 1}, 400, "tenant is not a name"),
        ("POST", "queue/pause", {}, 400, "reason is missing"),
        ("POST", "queue/pause", {"reason": "a\nb"}, 400, "reason is not 1 to 200 printable"),
        ("POST", "queue/resume", {"reason": "x"}, 400, "reason is not a field of this call"),
        ("POST", "pools/*/pause", {"reason": "x"}, 400, "pool is not a name"),
        ("POST", "pools/gpu/pause", {"reason": "x"}, 404, "no pool gpu; there are: default"),
        ("POST", "pools/gpu/resume", {}, 404, "no pool gpu"),
        ("PUT", "pools/gpu/lanes", {"lanes": 2}, 404, "no pool gpu"),
        ("PUT", "pools/default/lanes", {"lanes": 65}, 400, "a pool has 1 to 64 lanes"),
        ("PUT", "pools/default/lanes", {"lanes": 1.5}, 400, "lanes is not a whole number"),
        ("POST", "hosts/h9/drain", None, 404, "no host h9"),
        ("POST", "hosts/%20/resume", None, 400, "host is not a name"),
    ],
    ids=range(20),
)
def test_what_cannot_be_done_names_the_field(
    application: Application, method: str, path: str, body: Any, status: int, told: str
) -> None:
    answer = _send(application, method, f"/api/{path}", body)

    assert answer.status_code == status
    assert told in answer.json_body["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "queue/pause"),
        ("POST", "queue/resume"),
        ("POST", "pools/default/pause"),
        ("POST", "pools/default/resume"),
        ("PUT", "pools/default/lanes"),
        ("PUT", "tenants/7"),
        ("POST", "hosts/h1/drain"),
        ("POST", "hosts/h1/resume"),
    ],
)
def test_a_change_needs_the_token(application: Application, method: str, path: str) -> None:
    assert application.ask(method, f"/api/{path}").status_code == 401
