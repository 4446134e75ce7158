"""What the system survives: a control plane that stops in mid-build, and one that is killed."""

import io
import time

import pytest

from chalicelib.local.progress import Progress
from chalicelib.local.stack import Stack
from tests.system.installation import Installation, config_of

pytestmark = [pytest.mark.lxd, pytest.mark.slow, pytest.mark.timeout(300)]

_AWAY_S = 60


def test_a_control_plane_away_for_a_minute_loses_nothing(installation: Installation) -> None:
    count = "'for n in $(seq 1 75); do echo line $n; sleep 1; done'"
    pipeline = installation.push(config_of(count))
    installation.wait_running(pipeline)

    installation.stack.emulator.stop()
    time.sleep(_AWAY_S)  # the outage itself
    installation.stack.up()
    ended = installation.wait_end(pipeline, limit_s=120)

    job = ended["jobs"][0]
    assert (ended["outcome"], job["fence"]) == ("succeeded", 1)
    expected = "".join(f"line {number}\n" for number in range(1, 76)).encode()
    assert installation.output(job["id"]) == expected
    assert installation.containers() == []


def test_a_job_that_ran_at_down_runs_again_after_up(installation: Installation) -> None:
    pipeline = installation.push(config_of("'echo started; sleep 5; echo finished'"))
    installation.wait_running(pipeline)

    installation.stack.down()
    installation.stack.up()
    limit = time.monotonic() + 180
    while installation.client.pipeline(pipeline)["jobs"][0]["fence"] == 1:
        installation.sweep()
        assert time.monotonic() < limit
        time.sleep(1)
    ended = installation.wait_end(pipeline)

    assert ended["outcome"] == "succeeded"
    assert installation.output(ended["jobs"][0]["id"]) == b"started\nfinished\n"
    assert installation.containers() == []


def test_a_killed_emulator_comes_up_clean_and_says_what_was_lost(
    installation: Installation,
) -> None:
    installation.stack.emulator.kill()
    said = io.StringIO()

    Stack(installation.places, Progress(said)).up()
    ended = installation.wait_end(installation.push(config_of("echo again")), limit_s=60)

    assert "did not end cleanly" in said.getvalue()
    assert ended["outcome"] == "succeeded"


def test_a_second_up_redoes_nothing(installation: Installation) -> None:
    installation.stack.up()
    said = io.StringIO()

    Stack(installation.places, Progress(said)).up()

    assert said.getvalue() == ""
