"""The stack comes up, comes up again quickly, survives stops and kills, and says what is amiss."""

import io
import json
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from chalicelib.errors import LocalStackError
from chalicelib.local import processes
from chalicelib.local.places import Places
from chalicelib.local.ports import free_port
from chalicelib.local.progress import Progress
from chalicelib.local.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]


def _stack(places: Places) -> tuple[Stack, io.StringIO]:
    said = io.StringIO()
    return Stack(places, Progress(said), machine=False), said


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """A stack of its own, without LXD; any test may stop, kill or start it."""
    home = tmp_path_factory.mktemp("stack")
    made = Places(home=home, port=free_port(3), lxd_project="berth-test")
    try:
        yield made
    finally:
        _stack(made)[0].down()


def _health(places: Places) -> tuple[int, object]:
    try:
        with urlopen(f"{places.url}/health", timeout=30) as answer:  # noqa: S310 - ours
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_it_answers_through_the_front_door(places: Places) -> None:
    _stack(places)[0].up()

    assert _health(places) == (200, {"status": "ok"})


def test_a_second_up_redoes_nothing(places: Places) -> None:
    _stack(places)[0].up()
    stack, said = _stack(places)
    before = [part.pid for part in stack.parts()]

    stack.up()

    assert [part.pid for part in stack.parts()] == before
    assert said.getvalue() == ""


def test_state_survives_down_and_up(places: Places) -> None:
    stack, said = _stack(places)
    deployment, keys = stack.up(), stack.keys()

    stack.down()
    away = [part.state for part in stack.parts()]
    again = stack.up()

    assert away == ["down", "down"]
    assert again == deployment
    assert stack.keys().page.reveal() == keys.page.reveal()
    assert "did not end cleanly" not in said.getvalue()
    assert _health(places)[0] == 200


def test_after_a_kill_it_comes_up_and_says_what_was_lost(places: Places) -> None:
    stack, said = _stack(places)
    deployment = stack.up()
    stack.emulator.snapshot()

    stack.emulator.kill()
    away = _health(places)
    again = stack.up()

    assert away[0] == 503
    assert again == deployment
    assert "did not end cleanly: what was written after" in said.getvalue()
    assert _health(places)[0] == 200


def test_a_kill_right_after_the_first_up_keeps_the_deployment(tmp_path: Path) -> None:
    """Long before the emulator would have saved its state by itself."""
    fresh = Places(home=tmp_path, port=free_port(3), lxd_project="berth-test")
    stack, said = _stack(fresh)
    try:
        deployment, page = stack.up(), stack.keys().page.reveal()

        stack.emulator.kill()
        again = stack.up()

        assert again == deployment
        assert stack.keys().page.reveal() == page
        assert "has lost the deployment" not in said.getvalue()
    finally:
        stack.down()


def test_lost_state_is_said_and_deployed_anew(places: Places) -> None:
    """The emulator ends by itself here: of one that is killed, a snapshot may outlive it and write."""
    stack, said = _stack(places)
    stack.up()

    stack.emulator.stop()
    saved = stack.emulator.saved_at
    shutil.rmtree(stack.emulator.folder / "services")
    stack.up()

    assert saved is not None

    assert "pipelines, jobs and logs are lost" in said.getvalue()
    assert "has lost the deployment" in said.getvalue()
    assert _health(places)[0] == 200


def test_a_half_dead_stack_is_completed(places: Places) -> None:
    stack, _ = _stack(places)
    stack.up()
    emulator = stack.emulator.pid

    processes.kill("doors", places.processes)
    stack.up()

    assert stack.emulator.pid == emulator
    assert _health(places)[0] == 200


def test_a_port_in_use_is_said_with_its_holder(places: Places) -> None:
    stack, _ = _stack(places)
    stack.up()
    stack.down()

    with (
        socket.create_server(("127.0.0.1", places.forge_port)),
        pytest.raises(LocalStackError, match=f"port {places.forge_port} is in use by") as caught,
    ):
        stack.up()

    assert "BERTH_PORT" in caught.value.cure
    stack.up()
    assert _health(places)[0] == 200


def test_two_at_once_take_turns(places: Places) -> None:
    both = [_stack(places), _stack(places)]
    both[0][0].down()

    threads = [threading.Thread(target=stack.up) for stack, _ in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    said = [text.getvalue() for _, text in both]
    assert sum("another ./berth up or down is at work" in text for text in said) == 1
    assert sum("starting the local AWS" in text for text in said) == 1
    assert _health(places)[0] == 200


def test_the_schedule_and_the_secret_are_there(places: Places) -> None:
    stack, _ = _stack(places)
    deployment = stack.up()

    rules = stack.session.client("events").list_rules()["Rules"]
    expiry = stack.session.client("dynamodb").describe_time_to_live(TableName=deployment.table)

    assert [rule["ScheduleExpression"] for rule in rules] == ["rate(1 minute)"]
    assert expiry["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"
    assert len(stack.keys().webhook[0].reveal()) > 30


def test_a_command_on_a_stack_that_is_down_names_the_cure(tmp_path: Path) -> None:
    stack, _ = _stack(Places(home=tmp_path, port=free_port(3), lxd_project="berth-test"))

    with pytest.raises(LocalStackError) as caught:
        stack.deployment()

    assert caught.value.cure == "./berth up"
