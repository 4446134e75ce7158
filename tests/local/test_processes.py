"""Background processes are found again, and nobody else's is ever killed."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from chalicelib.errors import LocalStackError
from chalicelib.local import processes

_WAIT = "import signal; signal.pause()"
_STUBBORN = (
    "import signal, pathlib, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "pathlib.Path(sys.argv[1]).touch();\nwhile True: signal.pause()"
)


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process of somebody else's."""
    with subprocess.Popen([sys.executable, "-c", _WAIT]) as process:
        yield process
        process.kill()


def _start(folder: Path, code: str, *words: str) -> processes.Daemon:
    return processes.start(
        [sys.executable, "-c", code, *words],
        name="it",
        folder=folder,
        log=folder / "it.log",
        environment={"PATH": os.environ["PATH"]},
    )


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 10
    while not path.exists() and time.monotonic() < deadline:
        os.sched_yield()


def test_a_started_process_is_found_until_it_is_stopped(tmp_path: Path) -> None:
    started = _start(tmp_path, _WAIT)

    found = processes.find_living("it", tmp_path)
    graceful = processes.stop("it", tmp_path)

    assert found == started
    assert graceful
    assert not started.alive()
    assert processes.find("it", tmp_path) is None


def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    started = _start(tmp_path, _STUBBORN, str(tmp_path / "ready"))
    _wait_for(tmp_path / "ready")

    graceful = processes.stop("it", tmp_path, grace_s=0.2)

    assert not graceful
    assert not started.alive()


def test_one_that_is_never_ready_is_told_with_its_last_words(tmp_path: Path) -> None:
    started = _start(tmp_path, f"print('warming', flush=True); {_WAIT}")
    log = tmp_path / "it.log"
    processes.wait_ready(started, lambda: "warming" in log.read_text(), log=log, limit_s=10)

    with pytest.raises(LocalStackError, match=r"it is not ready; its last words:\n  warming"):
        processes.wait_ready(started, lambda: False, log=log, limit_s=0.1)

    processes.stop("it", tmp_path)


def test_one_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    started = _start(tmp_path, "raise SystemExit('no such port')")

    with pytest.raises(LocalStackError, match=r"it ended; its last words:\n  no such port"):
        processes.wait_ready(started, lambda: False, log=tmp_path / "it.log", limit_s=3600)


def test_a_reused_number_is_not_taken_for_ours(
    tmp_path: Path, bystander: "subprocess.Popen[bytes]"
) -> None:
    ours = processes.Daemon(name="it", pid=bystander.pid, started=1)
    (tmp_path / "it.json").write_text(json.dumps(asdict(ours)))

    processes.stop("it", tmp_path)

    assert bystander.poll() is None
    assert not (tmp_path / "it.json").exists()


@pytest.mark.parametrize("record", ["", "{}", '{"name": 1, "pid'], ids=["empty", "bare", "cut"])
def test_a_damaged_record_is_no_process(tmp_path: Path, record: str) -> None:
    (tmp_path / "it.json").write_text(record)

    assert processes.find_living("it", tmp_path) is None


def test_the_holder_of_a_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        holder = processes.holder_of_port(server.getsockname()[1])

    assert holder
    assert holder.endswith(f"(pid {os.getpid()})")


def test_memory_counts_descendants(bystander: "subprocess.Popen[bytes]") -> None:
    alone = processes.resident_kib(bystander.pid)

    assert 0 < alone < processes.resident_kib(os.getpid())
