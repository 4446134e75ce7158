"""Only what is a supervisor of this stack is killed at `down`."""

import subprocess
import sys
from pathlib import Path

from chalicelib.local.supervisors import kill_supervisors

_WAIT = "import signal; signal.pause()"


def _attempt(host: Path, name: str, pid: int) -> Path:
    folder = host / "attempts" / name
    folder.mkdir(parents=True)
    (folder / "pid").write_text(f"{pid}\n")
    return folder


def test_a_supervisor_is_killed_and_a_stranger_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "attempts/aaaa-1"
    with (
        subprocess.Popen([sys.executable, "-c", _WAIT, str(folder)]) as supervisor,
        subprocess.Popen([sys.executable, "-c", _WAIT, "other"]) as stranger,
    ):
        _attempt(tmp_path, "aaaa-1", supervisor.pid)
        _attempt(tmp_path, "bbbb-1", stranger.pid)

        killed = kill_supervisors(tmp_path)
        status = supervisor.wait(timeout=10)
        spared = stranger.poll() is None
        stranger.kill()

    assert (killed, status) == (1, -9)
    assert spared


def test_leavings_of_ended_ones_are_no_harm(tmp_path: Path) -> None:
    _attempt(tmp_path, "aaaa-1", 2**22 + 1)
    (tmp_path / "attempts/bbbb-1").mkdir()
    (tmp_path / "attempts/bbbb-1/pid").write_text("not a number")

    assert kill_supervisors(tmp_path) == 0
    assert kill_supervisors(tmp_path / "nowhere") == 0
