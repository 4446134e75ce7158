import os
import time
from pathlib import Path

import pytest

from chalicelib.supervisor.faults import InfrastructureError
from chalicelib.supervisor.hostcommand import run_on_host

_ENVIRONMENT = {"PATH": os.defpath}


def _run(*arguments: str, limit_s: float = 10, halted: bool = False) -> tuple[int, bytes]:
    said: list[bytes] = []
    status = run_on_host(
        arguments,
        environment=_ENVIRONMENT,
        sink=said.append,
        limit_s=limit_s,
        halted=lambda: halted,
    )
    return status, b"".join(said)


def test_output_and_status_come_back() -> None:
    assert _run("sh", "-c", "echo out; echo err >&2; exit 3") == (3, b"out\nerr\n")


def test_it_sees_only_the_environment_it_is_given() -> None:
    assert _run("env") == (0, b"PATH=" + os.defpath.encode() + b"\n")


@pytest.mark.parametrize(("limit_s", "halted"), [(0.2, False), (10, True)], ids=["time", "halt"])
def test_what_is_cut_short_dies_with_its_children(
    tmp_path: Path, limit_s: float, *, halted: bool
) -> None:
    pid_file = tmp_path / "pid"
    script = f"sleep 600 & echo $! > {pid_file}; wait"

    with pytest.raises(InfrastructureError, match="stopped" if halted else "longer than 0.2 s"):
        _run("sh", "-c", script, limit_s=limit_s, halted=halted)

    if pid_file.exists() and (pid := pid_file.read_text().strip()):
        deadline = time.monotonic() + 5
        while Path(f"/proc/{pid}/root").exists() and _state(pid) != "Z":
            assert time.monotonic() < deadline


def _state(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def test_a_missing_program_is_infrastructure() -> None:
    with pytest.raises(InfrastructureError, match="cannot be started"):
        _run("/nonexistent")
