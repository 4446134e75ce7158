"""`berth queue` as the process it is, before a stack without containers: jobs wait for a host."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.cli.build import push_payload
from chalicelib.cli.client import Client
from chalicelib.clock import SteadyClock
from chalicelib.local.places import Places
from chalicelib.local.ports import free_port
from chalicelib.local.progress import Progress
from chalicelib.local.repositories import import_repository
from chalicelib.local.stack import Stack
from chalicelib.wait import WaitPolicy
from tests.services.pipelines import DIAMOND

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

_ROOT = Path(__file__).resolve().parents[2]
_PLANNED = WaitPolicy(
    name="a planned pipeline",
    sleep=timedelta(milliseconds=100),
    tries=None,
    timeout=timedelta(seconds=30),
)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """A stack of its own, without LXD."""
    home = tmp_path_factory.mktemp("stack")
    made = Places(home=home, port=free_port(3), lxd_project="berth-test")
    stack = Stack(made, Progress(), machine=False)
    try:
        stack.up()
        yield made
    finally:
        stack.down()


@pytest.fixture(scope="module")
def pipeline(places: Places, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a planned pipeline: deploy needs lint and unit, and these need build."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / ".circleci").mkdir()
    (folder / ".circleci/config.yml").write_bytes(DIAMOND)
    keys = Stack(places, Progress(), machine=False).keys()
    webhook, page = keys.webhook[0].reveal(), keys.page.reveal()
    client = Client(places.url, token=page, webhook_secret=webhook)
    imported = import_repository(folder, places.repositories)
    payload = push_payload(imported, places=places, job=None, rerun=1)
    with closing(client):
        planned = str(client.deliver("push", payload)["pipeline"])
        _PLANNED.wait(lambda: client.pipeline(planned)["jobs"], clock=SteadyClock())
    return planned


def _words(*words: str) -> list[str]:
    return [sys.executable, str(_ROOT / "berth"), "queue", *words]


def _environment(places: Places) -> dict[str, str]:
    given = {"BERTH_STATE_DIR": str(places.home), "BERTH_PORT": str(places.port)}
    return {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | given


def _berth(places: Places, *words: str) -> str:
    env = _environment(places)
    done = subprocess.run(_words(*words), env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_the_graph_of_a_pushed_pipeline_is_shown(places: Places, pipeline: str) -> None:
    shown = _berth(places, "show", pipeline)

    assert "deploy  waiting" in shown
    assert "pool default: no host is up, and none is registered" in shown
    assert "\x1b" not in shown


def test_a_terminal_gets_colours(places: Places, pipeline: str) -> None:
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            _words("show", pipeline), env=_environment(places), stdout=theirs, check=True
        )
        shown = os.read(ours, 10_000)
    finally:
        os.close(ours)
        os.close(theirs)

    assert b"\x1b[1mlocal/" in shown


def test_a_cancelled_pipeline_is_run_again_and_its_tenant_limited(
    places: Places, pipeline: str
) -> None:
    again = _berth(places, "rerun", pipeline).strip()
    cancelled = _berth(places, "cancel", again)
    limited = json.loads(_berth(places, "limit", "local", "3", "--json"))

    assert again != pipeline
    assert cancelled.endswith("cancelled\n")
    assert limited["limit"] == 3
    assert "of 3" in _berth(places, "ls")
