"""Fixtures of the local stack's tests: real repositories, and a real forge in front of them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chalicelib.local import processes
from chalicelib.local.ports import free_port

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run_git() -> Callable[..., str]:
    """Run git as a developer would: `run_git(folder, "commit", …)` returns what it printed."""
    who = {
        f"GIT_{kind}_{what}": "dev"
        for kind in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }

    def run(folder: Path, *words: str) -> str:
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", **who}
        done = subprocess.run(
            ["git", "-C", str(folder), *words], env=env, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    return run


@pytest.fixture
def repository(tmp_path: Path, run_git: Callable[..., str]) -> Path:
    """A repository with one commit on `trunk`."""
    folder = tmp_path / "shop"
    folder.mkdir()
    run_git(folder, "init", "--quiet", "--initial-branch", "trunk")
    (folder / "README").write_text("a shop\n")
    (folder / "conf").mkdir()
    (folder / "conf/a b.yml").write_bytes(b"\xff\x00raw")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "--quiet", "-m", "Open the shop")
    return folder


@pytest.fixture
def doors(tmp_path: Path) -> Iterator["Doors"]:
    """The front door and the forge as the process they are."""
    started = Doors(tmp_path / "doors")
    started.start()
    try:
        yield started
    finally:
        started.stop()


class Doors:
    """The process, its ports and its files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repositories = folder / "repositories"
        self.route = folder / "route.json"
        self.port, self.forge_port = free_port(), free_port()

    @property
    def url(self) -> str:
        """Of the front door."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def forge_url(self) -> str:
        """Of the forge."""
        return f"http://127.0.0.1:{self.forge_port}"

    def start(self) -> None:
        """Start it and wait until both ports answer."""
        log = self.folder / "doors.log"
        options = {
            "--port": self.port,
            "--forge-port": self.forge_port,
            "--route": self.route,
            "--repositories": self.repositories,
        }
        words = [str(word) for pair in options.items() for word in pair]
        daemon = processes.start(
            [sys.executable, "-m", "chalicelib.local.doors", *words],
            name="doors",
            folder=self.folder,
            log=log,
            environment={"PATH": os.environ["PATH"], "PYTHONPATH": str(_ROOT)},
        )
        ports = (self.port, self.forge_port)
        processes.wait_ready(
            daemon, lambda: all(map(processes.holder_of_port, ports)), log=log, limit_s=15
        )

    def stop(self) -> None:
        """Stop it."""
        processes.stop("doors", self.folder)
