"""The local AWS: ministack as a background process, bound to 127.0.0.1.

It runs in its own virtual environment (it pins an older botocore) under `emulator_main`. Its
environment is made from nothing, because Lambdas inherit it: no credential or endpoint of the
person who starts it may reach them.
"""

import http.client
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from chalicelib.errors import LocalStackError
from chalicelib.local import processes

__all__ = ["ACCOUNT", "REGION", "Emulator", "account_environment"]

ACCOUNT = "000000000000"
REGION = "us-east-1"
_NAME = "emulator"
_LAUNCHER = Path(__file__).with_name("emulator_main.py")
_READY_LIMIT_S = 30.0
_STOP_LIMIT_S = 30.0
_WARM_TTL_S = 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """One ministack: where it keeps its state and where it listens.

    Attributes:
        python: interpreter of the virtual environment that has ministack.
        port: on 127.0.0.1.
        folder: process record, state, S3 objects and temporary files.
        log: what it prints.
        persistent: whether state survives a stop. Executions never do.
    """

    python: Path
    port: int
    folder: Path
    log: Path
    persistent: bool

    @property
    def url(self) -> str:
        """The endpoint of every service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id, while it runs."""
        daemon = processes.find_living(_NAME, self.folder)
        return daemon.pid if daemon else None

    @property
    def mark(self) -> str:
        """What the launcher is; a running emulator of another mark is out of date."""
        return processes.mark_of(_LAUNCHER)

    @property
    def saved_at(self) -> float | None:
        """When state was saved last, in seconds since the epoch; None when it never was."""
        times = [path.stat().st_mtime for path in (self.folder / "services").glob("set-*")]
        return max(times, default=None)

    def running_mark(self) -> str | None:
        """Return the mark of the one that runs; None when none does."""
        daemon = processes.find_living(_NAME, self.folder)
        return daemon.mark if daemon else None

    def start(self) -> None:
        """Start it unless it runs; return when it answers.

        Raises:
            LocalStackError: it does not start, or its port is taken.
        """
        daemon = processes.find_living(_NAME, self.folder)
        if daemon is None:
            if not os.access(self.python, os.X_OK):
                raise LocalStackError(
                    reason=f"there is no ministack at {self.python}", cure="./berth up installs it"
                )
            holder = processes.holder_of_port(self.port)
            if holder:
                raise LocalStackError(
                    reason=f"port {self.port} is in use by {holder}",
                    cure="end that program, or set BERTH_PORT to move the whole stack",
                )
            temporary = self.folder / "tmp"
            shutil.rmtree(temporary, ignore_errors=True)  # functions that a killed run unpacked
            temporary.mkdir(parents=True)
            daemon = processes.start(
                [str(self.python), str(_LAUNCHER)],
                name=_NAME,
                folder=self.folder,
                log=self.log,
                environment=self._environment(),
                mark=self.mark,
            )
        processes.wait_ready(daemon, self.answers, log=self.log, limit_s=_READY_LIMIT_S)

    def stop(self) -> bool:
        """Stop it; a persistent one saves its state. Returns False when it had to be killed."""
        return processes.stop(_NAME, self.folder, grace_s=_STOP_LIMIT_S)

    def kill(self) -> None:
        """Kill it without warning, as a crash would: what was not saved is lost."""
        processes.kill(_NAME, self.folder)

    def answers(self) -> bool:
        """Return whether it serves requests now."""
        try:
            return bool(self._ask("GET", "/_ministack/health"))
        except (OSError, ValueError, http.client.HTTPException):
            return False

    def snapshot(self) -> bool:
        """Save the state now; requests do not wait for it. False when it could not."""
        return bool(self._ask("POST", "/_berth/snapshot")["saved"])

    def warm(self, *, workers: int = 1, named: Sequence[str] = ()) -> int:
        """Start `workers` workers of each function, so that first calls find them.

        Args:
            workers: how many of each; those that run count.
            named: parts of names; only functions that have one of them. Default: all functions.

        Returns:
            How many are ready.
        """
        query = urlencode([("workers", workers), *(("named", part) for part in named)])
        return int(self._ask("POST", f"/_berth/warm?{query}")["workers"])

    def _ask(self, method: str, path: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return answer

    def _environment(self) -> dict[str, str]:
        flag = "1" if self.persistent else "0"
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": os.environ.get("HOME", "/"),
            "LANG": "C.UTF-8",
            "TMPDIR": str(self.folder / "tmp"),
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",  # its default is every interface
            "IOT_MTLS_ENABLED": "0",  # else it takes port 8883 too
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "INFO",
            "PERSIST_STATE": flag,
            "STATE_DIR": str(self.folder / "services"),
            "S3_PERSIST": flag,
            "S3_DATA_DIR": str(self.folder / "s3"),
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "LAMBDA_WARM_TTL_SECONDS": str(_WARM_TTL_S),
            "DOCKER_HOST": "unix:///nonexistent",  # it would tidy away containers it finds
        }


def account_environment(url: str, *, account: str = ACCOUNT) -> Mapping[str, str]:
    """Return the variables that point an SDK at the emulator, in an account of its own.

    A 12-digit access key is an account; two accounts share nothing.
    """
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
    }
