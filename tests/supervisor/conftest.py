"""An attempt to run: LXD's stand-in, a control plane on loopback, and the shipped file."""

import json
import os
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.model import JobSpec, Step
from chalicelib.supervisor.bundle import bundle
from tests.supervisor.control_plane import ControlPlane
from tests.supervisor.lxd_stand_in import LxdStandIn, cgroup_root

JOB = "abcdefghijklmnop"
TICKET = "ticket-of-the-attempt"


class Rig:
    """Everything around one supervisor."""

    def __init__(self, tmp_path: Path, shipped: Path) -> None:
        self.tmp_path = tmp_path
        self.state = tmp_path / "state"
        self.directory = self.state / "attempts" / f"{JOB}-1"
        self.home = tmp_path / "home"
        self.workspace = self.home / "project"
        self.plane = ControlPlane(TICKET)
        instance = f"supervisor-test-{os.getpid()}-{zlib.crc32(bytes(tmp_path))}"
        self.lxd = LxdStandIn(tmp_path / "lxd.socket", project="test", instance=instance)
        self.lxd.events = self.plane.events
        self._shipped = shipped
        self._processes: list[subprocess.Popen[bytes]] = []
        self.home.mkdir()

    def write(self, *steps: Step, **changes: Any) -> None:
        """Write the attempt's directory, as the control plane does."""
        self.directory.mkdir(parents=True, mode=0o700)
        spec = JobSpec(name="build", steps=steps, environment=changes.pop("environment", {}))
        order = {
            "version": 1,
            "job": JOB,
            "fence": 1,
            "api_url": self.plane.url,
            "container": self.lxd.instance,
            "lxd_socket": str(self.lxd.socket_path),
            "lxd_project": "test",
            "repository_cache": str(self.tmp_path / "cache"),
            "source": {
                "clone_url": "https://example.invalid/o/r.git",
                "repository": "o/r",
                "sha": "0" * 40,
                "ref": "refs/heads/main",
            },
            "steps": spec.to_json()["steps"],
            "environment": dict(spec.environment),
            "working_directory": spec.working_directory,
            "home": str(self.home),
            "uid": os.getuid(),
            "gid": os.getgid(),
            "time_limit_s": 60,
            "heartbeat_s": 30,
            "log_limit_bytes": 50 * 1024 * 1024,
            "job_name": "build",
            "pipeline": "pipelinepipeline",
            "container_dir": str(self.tmp_path / "inside"),
            **changes,
        }
        (self.directory / "attempt.json").write_text(json.dumps(order))
        ticket = self.directory / "ticket"
        ticket.touch(mode=0o600)
        ticket.write_text(TICKET)

    def start(self) -> subprocess.Popen[bytes]:
        """Start the shipped file as the host does."""
        process = subprocess.Popen(
            [sys.executable, "-I", str(self._shipped), str(self.directory)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._processes.append(process)
        return process

    def wait(self, process: subprocess.Popen[bytes], timeout_s: float = 30) -> None:
        """Wait for the end of a supervisor that must end well."""
        _, errors = process.communicate(timeout=timeout_s)
        assert process.returncode == 0, errors.decode()
        assert errors == b""

    def run(self, *steps: Step, **changes: Any) -> None:
        """Write, start and wait."""
        self.write(*steps, **changes)
        self.wait(self.start())
        assert self.plane.faults == []

    def output(self, step: int = 0) -> str:
        """Return a step's output as text."""
        return self.plane.output(step).decode()

    def log(self) -> list[dict[str, Any]]:
        """Return the supervisor's own log, as kept after the attempt."""
        lines = (self.state / "logs" / f"{JOB}-1.log").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """End everything that is left."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.lxd.close()
        self.plane.close()


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the supervisor as one file."""
    path = tmp_path_factory.mktemp("shipped") / "supervisor.pyz"
    path.write_bytes(bundle())
    return path


@pytest.fixture
def rig(tmp_path: Path, shipped: Path) -> Iterator[Rig]:
    """Return the surroundings of one supervisor."""
    surroundings = Rig(tmp_path, shipped)
    yield surroundings
    surroundings.close()


@pytest.fixture
def tree_rig(rig: Rig) -> Rig:
    """Return the same, where processes are kept in a cgroup as LXD keeps them."""
    if cgroup_root() is None:
        pytest.skip("cgroups cannot be made here: run as root")
    return rig
