import json
from pathlib import Path

import pytest

from chalicelib.supervisor.attempt import Attempt, Step, load_attempt
from chalicelib.supervisor.environment import built_in, step_environment
from tests.supervisor.conftest import Rig


@pytest.fixture
def attempt(rig: Rig) -> Attempt:
    rig.write(
        environment={"CI": "mine", "A": "$B", "BERTH_STEP": "forged"},
        home="/home/circleci",
        container_dir="/var/lib/berth",
        build_url="http://127.0.0.1/pipelines/p",
    )
    return load_attempt(rig.directory / "attempt.json")


def test_the_built_in_variables_are_circlecis(attempt: Attempt) -> None:
    variables = built_in(attempt)

    assert variables["CIRCLE_BRANCH"] == "main"
    assert variables["CIRCLE_SHA1"] == "0" * 40
    assert variables["CIRCLE_PROJECT_USERNAME"] == "o"
    assert variables["CIRCLE_PROJECT_REPONAME"] == "r"
    assert variables["CIRCLE_WORKING_DIRECTORY"] == "~/project"
    assert variables["CIRCLE_BUILD_URL"] == "http://127.0.0.1/pipelines/p"
    assert variables["CIRCLE_NODE_INDEX"] == "0"
    assert "CIRCLE_TAG" not in variables
    assert "CIRCLE_USERNAME" not in variables


def test_later_layers_win_but_for_what_kills_and_exports_rely_on(attempt: Attempt) -> None:
    step = Step(index=4, kind="run", name="x", environment={"A": "step", "BASH_ENV": "/dev/null"})

    variables = step_environment(attempt, step)

    assert variables["CI"] == "mine"
    assert variables["A"] == "step"
    assert variables["BERTH_STEP"] == "abcdefghijklmnop-1-4"
    assert variables["BASH_ENV"] == "/var/lib/berth/bash_env-abcdefghijklmnop-1"
    assert variables["HOME"] == "/home/circleci"
    assert variables["USER"] == "circleci"
    assert "TERM" not in variables


@pytest.mark.parametrize("text", ["[]", "{", '{"version": 1}', '{"version": 2}'])
def test_an_order_that_is_not_ours_is_a_value_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "attempt.json"
    path.write_text(text)

    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own error is one, with its own words
        load_attempt(path)


def test_an_order_without_the_optional_fields_is_read(rig: Rig) -> None:
    rig.write()
    path = rig.directory / "attempt.json"
    order = json.loads(path.read_text())
    for name in ("job_name", "pipeline", "container_dir", "environment", "working_directory"):
        del order[name]
    path.write_text(json.dumps(order))

    assert load_attempt(path).workspace == f"{rig.home}/project"


def test_an_order_of_a_newer_control_plane_is_read_without_what_is_not_known(rig: Rig) -> None:
    """A spec travels whole: what a job needs is of no concern here."""
    rig.write()
    path = rig.directory / "attempt.json"
    known = load_attempt(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "needs": ["build"]}))

    assert load_attempt(path) == known
