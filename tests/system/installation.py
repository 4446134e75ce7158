"""A whole local stack of the tests' own: real emulator, real LXD, real supervisors, other ports."""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chalicelib.cli.build import push_payload
from chalicelib.cli.client import Client
from chalicelib.fleet.lxd_api import LxdApi
from chalicelib.local import lxd_daemon
from chalicelib.local.lxd import remove_project
from chalicelib.local.places import Places
from chalicelib.local.progress import Progress
from chalicelib.local.repositories import import_repository
from chalicelib.local.stack import Stack

__all__ = ["Installation", "config_of"]

_POLL_S = 0.1


def config_of(*commands: str, **options: Any) -> str:
    """Return a config of one job with these `run` steps, each a YAML flow of its options."""
    steps = [f"      - run: {command}" for command in commands]
    extra = [f"    {name}: {value}" for name, value in options.items()]
    return "\n".join(["version: 2.1", "jobs:", "  build:", *extra, "    steps:", *steps, ""])


@dataclass(slots=True, kw_only=True)
class Installation:
    """The running stack, and what a test does with it."""

    places: Places
    stack: Stack
    scratch: Path
    client: Client = field(init=False)
    _pushes: int = 0

    def connect(self) -> None:
        """Make a client; again after the stack was started anew."""
        keys = self.stack.keys()
        self.client = Client(
            self.places.url, token=keys.page.reveal(), webhook_secret=keys.webhook[0].reveal()
        )

    def push(self, config: str, *, files: Mapping[str, str] | None = None) -> str:
        """Push a repository with this config; return its pipeline's id."""
        self._pushes += 1
        folder = self.scratch / f"repository-{self._pushes}"
        for name, text in {**(files or {}), ".circleci/config.yml": config}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self.push_folder(folder)

    def push_folder(self, folder: Path) -> str:
        """Push the folder or repository; return its pipeline's id."""
        imported = import_repository(folder, self.places.repositories)
        payload = push_payload(
            imported, places=self.places, job=None, rerun=time.time_ns() // 1_000_000
        )
        return str(self.client.deliver("push", payload)["pipeline"])

    def wait(
        self, pipeline: str, condition: Callable[[dict[str, Any]], bool], *, limit_s: float
    ) -> Any:
        """Return the pipeline once the condition holds."""
        limit = time.monotonic() + limit_s
        while True:
            shown = self.client.pipeline(pipeline)
            if condition(shown):
                return shown
            assert time.monotonic() < limit, f"not within {limit_s} s: {shown}"
            time.sleep(_POLL_S)

    def wait_end(self, pipeline: str, *, limit_s: float = 60) -> dict[str, Any]:
        """Return the pipeline once it has ended."""
        return dict(self.wait(pipeline, lambda shown: shown["state"] == "ended", limit_s=limit_s))

    def wait_running(self, pipeline: str, *, limit_s: float = 30) -> dict[str, Any]:
        """Return the pipeline's first job once its attempt has printed something."""

        def printed(shown: dict[str, Any]) -> bool:
            return bool(shown["jobs"]) and bool(self.output(shown["jobs"][0]["id"]))

        return dict(self.wait(pipeline, printed, limit_s=limit_s)["jobs"][0])

    def output(self, job: str, *, step: int | None = None, fence: int | None = None) -> bytes:
        """Return all that is visible of a job's log now."""
        parts, cursor = [], ""
        while True:
            page = self.client.log(job, cursor=cursor, fence=fence)
            parts += [chunk.data for chunk in page.chunks if step in {None, chunk.step}]
            cursor = page.cursor
            if not page.more:
                return b"".join(parts)

    def steps(self, job: str) -> list[Mapping[str, Any]]:
        """Return the steps of a job's newest attempt."""
        return list(self.client.log(job).steps)

    def sweep(self) -> dict[str, Any]:
        """Run the sweeper now, as its schedule does every minute."""
        tick = {
            "version": "0",
            "id": "tick",
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "",
            "time": "",
            "region": "",
            "resources": [],
            "detail": {},
        }
        return dict(self.stack.session.invoke("Sweep", tick))

    def attempt_folder(self, job: str, fence: int) -> Path:
        """Return where the attempt keeps its files on the host."""
        return self.places.host / "attempts" / f"{job}-{fence}"

    def containers(self) -> list[str]:
        """Return the names of all containers that attempts have."""
        instances = self._lxd().get("instances", recursion="1")
        return [each["name"] for each in instances if "-golden-" not in each["name"]]

    def slots_taken(self) -> dict[str, Any]:
        """Return host and tenant slots that are taken, straight from the table."""
        table = self.stack.session.client("dynamodb")
        name = self.stack.deployment().table
        taken = {}
        for key in ("H#local", "T#local"):
            found = table.get_item(
                TableName=name, Key={"pk": {"S": key}, "sk": {"S": "S"}}, ConsistentRead=True
            )
            taken[key] = found.get("Item", {}).get("r", {}).get("M", {})
        return taken

    @classmethod
    def start(cls, home: Path, *, port: int) -> "Installation":
        """Bring up a stack of our own."""
        places = Places.from_environment({"BERTH_STATE_DIR": str(home), "BERTH_PORT": str(port)})
        installation = cls(places=places, stack=Stack(places, Progress()), scratch=home / "scratch")
        installation.stack.up()
        installation.connect()
        return installation

    def close(self) -> None:
        """Stop it and remove all it made."""
        self.client.close()
        try:
            remove_project(str(lxd_daemon.find_socket()), self.places.lxd_project)
        finally:
            self.stack.down()
            shutil.rmtree(self.places.home, ignore_errors=True)

    def _lxd(self) -> LxdApi:
        socket = lxd_daemon.find_socket()
        assert socket is not None
        return LxdApi(str(socket), host="this machine", project=self.places.lxd_project)
