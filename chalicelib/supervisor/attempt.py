"""The order that the control plane left for this attempt, as a frozen value.

Rule of this file: parsing and paths only. The shape of `attempt.json` is documented by `Attempt`.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["CHECKOUT", "Attempt", "Source", "Step", "container_path", "load_attempt"]

CHECKOUT = "checkout"
_VERSION = 1
_NO_OUTPUT_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Source:
    """Which commit to build. `clone_url` holds no credentials; `ref` is a full ref."""

    clone_url: str
    repository: str
    sha: str
    ref: str
    author: str = ""


@dataclass(frozen=True)
class Step:
    """One step of the job.

    Attributes:
        index: 0-based place among the job's steps.
        kind: `run` or `checkout`.
        name: shown to people.
        command: script text of a `run` step.
        environment: added to the job's, and stronger.
        working_directory: relative to the job's; None means the job's.
        when: `on_success`, `on_fail` or `always`.
        no_output_timeout_s: seconds without a byte of output after which it is killed.
        path: where a `checkout` puts the commit; None means the working directory.
    """

    index: int
    kind: str
    name: str
    command: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str | None = None
    when: str = "on_success"
    no_output_timeout_s: float = _NO_OUTPUT_TIMEOUT_S
    path: str | None = None


@dataclass(frozen=True)
class Attempt:
    """All that this process was told.

    Attributes:
        job: id of the job.
        fence: number of the attempt.
        api_url: the control plane, without a final slash.
        container: LXD instance name.
        lxd_socket: path of LXD's Unix socket.
        lxd_project: LXD project of the container.
        repository_cache: directory on the host for mirrors, shared by all attempts.
        source: the commit.
        steps: in order.
        environment: the job's own, over the built-in variables.
        working_directory: absolute or `~/…`.
        home: home directory of the user in the container.
        user: name of that user.
        uid: numeric id in the container.
        gid: numeric id in the container.
        time_limit_s: seconds for all steps together.
        heartbeat_s: seconds between heartbeats.
        log_limit_bytes: output kept of the whole job.
        job_name: as in the config.
        pipeline: id of the pipeline.
        build_url: page of the job, or empty.
        container_dir: root-owned directory in the container for scripts and the source bundle.
    """

    job: str
    fence: int
    api_url: str
    container: str
    lxd_socket: str
    lxd_project: str
    repository_cache: str
    source: Source
    steps: tuple[Step, ...]
    environment: Mapping[str, str]
    working_directory: str
    home: str
    user: str
    uid: int
    gid: int
    time_limit_s: float
    heartbeat_s: float
    log_limit_bytes: int
    job_name: str = ""
    pipeline: str = ""
    build_url: str = ""
    container_dir: str = "/var/lib/berth"

    @property
    def name(self) -> str:
        """Return `<job>-<fence>`."""
        return f"{self.job}-{self.fence}"

    @property
    def workspace(self) -> str:
        """Return the job's working directory as an absolute path in the container."""
        return container_path(self.working_directory, home=self.home, base=self.home)

    @property
    def bash_env(self) -> str:
        """Return the file in the container that every bash sources, and that steps may append to."""
        return posixpath.join(self.container_dir, f"bash_env-{self.name}")

    def marker(self, index: int) -> str:
        """Return the value of `BERTH_STEP` that marks every process of a step."""
        return f"{self.name}-{index}"


def container_path(path: str | None, *, home: str, base: str) -> str:
    """Return an absolute path for one that may be `~/…`, relative to `base`, or None (`base`).

    >>> container_path("~/project", home="/home/circleci", base="/")
    '/home/circleci/project'
    >>> container_path("sub/../x", home="/h", base="/builds")
    '/builds/x'
    """
    if path is None or path == "":
        return base
    if path == "~" or path.startswith("~/"):
        path = home + path[1:]
    return posixpath.normpath(posixpath.join(base, path))


def load_attempt(path: Path) -> Attempt:
    """Return the attempt that a file describes.

    Raises:
        ValueError: it is not JSON, of another version, or lacks a field.
    """
    value = json.loads(path.read_text(encoding="utf-8"))
    version = value.get("version") if isinstance(value, dict) else None
    if version != _VERSION:
        msg = f"attempt.json has version {version}, this supervisor reads {_VERSION}"
        raise ValueError(msg)
    try:
        return _attempt(value)
    except (KeyError, TypeError) as error:
        msg = f"attempt.json is incomplete: {error!r}"
        raise ValueError(msg) from error


def _attempt(value: Mapping[str, Any]) -> Attempt:
    source = value["source"]
    return Attempt(
        job=value["job"],
        fence=int(value["fence"]),
        api_url=value["api_url"].rstrip("/"),
        container=value["container"],
        lxd_socket=value["lxd_socket"],
        lxd_project=value["lxd_project"],
        repository_cache=value["repository_cache"],
        source=Source(
            clone_url=source["clone_url"],
            repository=source["repository"],
            sha=source["sha"],
            ref=source["ref"],
            author=source.get("author", ""),
        ),
        steps=tuple(_step(index, step) for index, step in enumerate(value["steps"])),
        environment=dict(value.get("environment", {})),
        working_directory=value.get("working_directory", "~/project"),
        home=value["home"],
        user=value.get("user", posixpath.basename(value["home"])),
        uid=int(value["uid"]),
        gid=int(value["gid"]),
        time_limit_s=float(value["time_limit_s"]),
        heartbeat_s=float(value["heartbeat_s"]),
        log_limit_bytes=int(value["log_limit_bytes"]),
        job_name=value.get("job_name", ""),
        pipeline=value.get("pipeline", ""),
        build_url=value.get("build_url", ""),
        container_dir=value.get("container_dir", "/var/lib/berth"),
    )


def _step(index: int, value: Mapping[str, Any]) -> Step:
    if value["kind"] == CHECKOUT:
        return Step(index=index, kind=CHECKOUT, name=value["name"], path=value.get("path"))
    return Step(
        index=index,
        kind="run",
        name=value["name"],
        command=value["command"],
        environment=dict(value.get("environment", {})),
        working_directory=value.get("working_directory"),
        when=value.get("when", "on_success"),
        no_output_timeout_s=float(value.get("no_output_timeout_s", _NO_OUTPUT_TIMEOUT_S)),
    )
