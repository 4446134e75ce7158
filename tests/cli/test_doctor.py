"""The doctor says how the machine is as a host, by the same values as a lost attempt's reason."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.test_machine import small_disk, use_up_inodes

_ROOT = Path(__file__).resolve().parents[2]


def _as_a_host(home: Path) -> dict[str, Any]:
    """Return what `berth doctor` finds for a state folder that is not there yet."""
    done = subprocess.run(
        [sys.executable, str(_ROOT / "berth"), "doctor", "--json"],
        env={"BERTH_STATE_DIR": str(home / "state"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        check=False,
    )
    found: dict[str, dict[str, Any]] = {each["name"]: each for each in json.loads(done.stdout)}
    return found["as a host"]


def test_the_load_is_told_unless_something_is_amiss(tmp_path: Path) -> None:
    found = _as_a_host(tmp_path)

    assert found["level"] == "warn" or "load" in found["text"]


@pytest.mark.lxd
def test_a_disk_without_inodes_is_told_with_a_cure(tmp_path: Path) -> None:
    with small_disk(tmp_path, inodes=32) as disk:
        use_up_inodes(disk)

        found = _as_a_host(disk)

    assert found["level"] == "warn"
    assert (
        "the host's disk is out of inodes: 0 of 32 are free for the stack's files" in found["text"]
    )
    assert found["cure"]
