"""The command line as the process it is: help, statuses, one message per error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from chalicelib.cli.main import COMMANDS
from chalicelib.local.ports import free_port

_ROOT = Path(__file__).resolve().parents[2]


def _berth(home: Path, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    env = {
        **os.environ,
        "BERTH_STATE_DIR": str(home),
        "BERTH_PORT": str(min(free_port(), 65_000)),
        **more,
    }
    return subprocess.run(
        [sys.executable, str(_ROOT / "berth"), *words],
        cwd=home,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "words", [[], ["--help"], ["-h"], ["help"]], ids=lambda words: "-".join(words) or "none"
)
def test_help_lists_every_command(tmp_path: Path, words: list[str]) -> None:
    done = _berth(tmp_path, *words)

    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(tmp_path: Path, command: str) -> None:
    done = _berth(tmp_path, command, "--help")

    assert done.returncode == 0
    assert f"usage: berth {command}" in done.stdout
    assert "examples:" in done.stdout


def test_an_unknown_command_is_named(tmp_path: Path) -> None:
    done = _berth(tmp_path, "bulid")

    assert done.returncode == 2
    assert "there is no command 'bulid'" in done.stderr


def test_an_error_is_one_message_without_a_traceback(tmp_path: Path) -> None:
    done = _berth(tmp_path, "status", BERTH_PORT="many")

    assert done.returncode == 2
    assert done.stderr.strip() == "berth: BERTH_PORT: 'many' is not a port below 65500"


def test_status_of_a_stack_that_is_down_is_1(tmp_path: Path) -> None:
    done = _berth(tmp_path, "status", "--json")

    answer = json.loads(done.stdout)
    assert done.returncode == 1
    assert answer["up"] is False
    assert {part["state"] for part in answer["parts"]} == {"down"}


def test_a_queue_of_a_stack_that_is_down_names_the_cure(tmp_path: Path) -> None:
    done = _berth(tmp_path, "queue", "ls")

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "berth: the local stack is not up: its emulator is down",
        "  cure: ./berth up",
    ]


def test_doctor_answers_programs_too(tmp_path: Path) -> None:
    findings = json.loads(_berth(tmp_path, "doctor", "--json").stdout)

    assert {finding["level"] for finding in findings} <= {"ok", "warn", "fail"}


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, str(_ROOT / "berth"), "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        said = process.stderr.read()

    assert b"Traceback" not in said
