"""The launcher installs once, repairs what was interrupted, and lets two of it meet.

Run on a copy of the launcher whose requirement files are empty, so that no package is fetched.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_FILES = ("requirements.txt", "requirements-dev.txt", "requirements-emulator.txt")

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The launcher and what it imports."""
    root = tmp_path / "a checkout"
    shutil.copytree(
        _ROOT / "chalicelib", root / "chalicelib", ignore=shutil.ignore_patterns("*.pyc")
    )
    shutil.copy(_ROOT / "berth", root)
    for name in _FILES:
        (root / name).write_text("# nothing\n")
    return root


def _command(root: Path, *words: str) -> list[str]:
    return [sys.executable, str(root / "berth"), *words]


def _run(root: Path, *words: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        _command(root, *words), cwd=cwd, capture_output=True, text=True, check=False, timeout=100
    )


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists() and time.monotonic() < deadline:
        os.sched_yield()


def test_help_installs_nothing(copy: Path) -> None:
    done = _run(copy, "--help")

    assert (done.returncode, "build PATH" in done.stdout) == (0, True)
    assert not (copy / ".venv").exists()


@pytest.mark.slow
def test_the_first_command_installs_and_the_second_does_not(copy: Path, tmp_path: Path) -> None:
    first = _run(copy, "nonsense", cwd=tmp_path)
    second = _run(copy, "nonsense", cwd=Path("/"))

    assert "installing the command line" in first.stderr
    assert "install" not in second.stderr
    for done in (first, second):
        assert done.returncode == 2
        assert "there is no command 'nonsense'" in done.stderr


@pytest.mark.slow
def test_an_interrupted_installation_is_made_anew(copy: Path) -> None:
    _run(copy, "nonsense")
    (copy / ".venv/berth-installing").touch()
    (copy / ".venv/berth-stamp").unlink()
    shutil.rmtree(next((copy / ".venv/lib").glob("python*/site-packages/pip")))

    done = _run(copy, "nonsense")

    assert "making .venv" in done.stderr
    assert "there is no command" in done.stderr
    assert next((copy / ".venv/lib").glob("python*/site-packages/pip")).is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("caught", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill"])
def test_a_stopped_installation_is_completed_by_the_next_run(
    copy: Path, caught: signal.Signals
) -> None:
    with subprocess.Popen(
        _command(copy, "nonsense"), stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as stopped:
        _wait_for(copy / ".venv/berth-installing")
        os.killpg(stopped.pid, caught)
        said = stopped.communicate(timeout=100)[1]

    done = _run(copy, "nonsense")

    assert "Traceback" not in said
    assert "there is no command" in done.stderr


@pytest.mark.slow
def test_changed_requirements_are_installed(copy: Path) -> None:
    _run(copy, "nonsense")
    (copy / "requirements-dev.txt").write_text("# still nothing\n")

    done = _run(copy, "nonsense")

    assert "installing the command line" in done.stderr
    assert "making .venv" not in done.stderr


@pytest.mark.slow
def test_what_cannot_be_installed_is_said_once_and_mended_by_the_next_run(copy: Path) -> None:
    (copy / "requirements.txt").write_text("./no-such-folder\n")
    failed = _run(copy, "nonsense")
    (copy / "requirements.txt").write_text("# nothing\n")

    mended = _run(copy, "nonsense")

    assert failed.returncode == 2
    assert "no-such-folder" in failed.stderr
    assert "cure:" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert "there is no command" in mended.stderr


@pytest.mark.slow
def test_two_at_once_do_not_break_each_other(copy: Path) -> None:
    pair = [
        subprocess.Popen(_command(copy, "nonsense"), stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]

    said = [process.communicate(timeout=100)[1] for process in pair]

    assert [process.returncode for process in pair] == [2, 2]
    assert all("there is no command" in text for text in said)
    assert sum("making .venv" in text for text in said) == 1


def test_an_old_python_is_told_what_to_use(copy: Path, tmp_path: Path) -> None:
    old = next(filter(None, map(shutil.which, ("python3.9", "python3.10"))), None)
    if old is None or subprocess.run([old, "-c", ""], check=False, capture_output=True).returncode:
        pytest.skip("this machine has no old Python")

    done = subprocess.run(
        [old, str(copy / "berth"), "up"],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "needs Python 3.11" in done.stderr
    assert "cure:" in done.stderr
