"""The whole local stack: what it takes to be up, to be down, and to say how it is.

Every step looks before it acts, so a repeat redoes nothing that is up to date, and a half-dead
stack is completed. One command at a time holds the stack's lock.
"""

import fcntl
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chalicelib.errors import LocalStackError
from chalicelib.keyring.protocol import Keys
from chalicelib.keyring.signing import SIGN_IN, seal_code
from chalicelib.local import deploy, edge, lxd, processes
from chalicelib.local.deploy import AwsSession, Deployment
from chalicelib.local.emulator import Emulator
from chalicelib.local.package import fingerprint, package
from chalicelib.local.places import ROOT, Places
from chalicelib.local.progress import Progress
from chalicelib.local.supervisors import kill_supervisors
from chalicelib.local.warmth import warm
from chalicelib.settings import Settings

__all__ = ["Part", "Stack"]

_DOORS = "doors"
_DOORS_SOURCES = ("doors.py", "edge.py", "forge.py", "git.py", "repositories.py")
_READY_LIMIT_S = 15.0
_SIGN_IN_LIFETIME = timedelta(minutes=10)
_STAGE = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """How one background process of the stack is.

    Attributes:
        name: `emulator` or `doors`.
        state: `up`, `stale` (runs, but does not answer) or `down`.
        pid: while it runs.
        memory_mib: resident, with its descendants.
        where: where it listens.
    """

    name: str
    state: str
    pid: int | None
    memory_mib: int
    where: str


class Stack:
    """One local stack, at its places.

    Attributes:
        places: its folders and ports.
        progress: is told of what takes time.
        machine: whether LXD is made ready and registered; without it all else works, but no job
            runs.
    """

    def __init__(self, places: Places, progress: Progress, *, machine: bool = True) -> None:
        self.places = places
        self.progress = progress
        self.machine = machine
        self.emulator = Emulator(
            python=places.emulator_python,
            port=places.emulator_port,
            folder=places.state / "emulator",
            log=places.logs / "emulator.log",
            persistent=True,
        )
        self.session = AwsSession(self.emulator.url)

    def up(self) -> Deployment:
        """Bring up what is down and deploy what has changed; return what is deployed.

        Raises:
            LocalStackError: something is in the way; says what to do. What was begun is completed
                by the next call.
        """
        with self._alone():
            machine = self._prepare_machine()
            started = self._start_emulator()
            self._start_doors()
            deployment, changed = self._deploy(machine)
            if started or changed:
                with self.progress.step("warming the functions"):
                    token = deploy.read_keys(self.session, deployment.secret_id).page
                    warm(self.emulator, self.session, port=self.places.port, token=token)
            if self.machine:
                self._register_host()
        return deployment

    def down(self) -> None:
        """Stop everything; state is kept. Jobs that run are found and run again after `up`."""
        with self._alone():
            with self.progress.step("stopping the front door"):
                processes.stop(_DOORS, self.places.processes)
            killed = kill_supervisors(self.places.host)
            if killed:
                self.progress.note(f"  {killed} running jobs were stopped; up runs them again")
            with self.progress.step("stopping the local AWS"):
                ran = self.emulator.pid is not None
                if self.emulator.stop() and ran:
                    self._clean_mark.touch()
            if self.machine and not lxd.shut_down(self.places.state):
                self.progress.note("  LXD goes on: it was not started here, or others use it")

    def parts(self) -> tuple[Part, ...]:
        """Return how the background processes are."""
        doors = processes.find_living(_DOORS, self.places.processes)
        pid = self.emulator.pid
        return (
            _part("emulator", pid, answers=self.emulator.answers(), where=self.emulator.url),
            _part(
                _DOORS,
                doors.pid if doors else None,
                answers=self._doors_answer(),
                where=f"{self.places.url}, forge {self.places.forge_url}",
            ),
        )

    def deployment(self) -> Deployment:
        """Return what is deployed.

        Raises:
            LocalStackError: nothing is, or the stack is down.
        """
        found = deploy.read_deployment(self._deployment_file)
        if found is None or not self.emulator.answers():
            raise LocalStackError(reason="the local stack is not up", cure="./berth up")
        return found[1]

    def keys(self) -> Keys:
        """Return the installation's secrets. The stack must be up."""
        return deploy.read_keys(self.session, self.deployment().secret_id)

    def sign_in_link(self) -> str:
        """Return a URL that signs a browser in, once, within ten minutes."""
        expires = datetime.now(UTC) + _SIGN_IN_LIFETIME
        code = seal_code(SIGN_IN, secrets.token_hex(8), self.keys().page, expires=expires)
        return f"{self.places.url}/login?code={code}"

    @property
    def _clean_mark(self) -> Path:
        return self.emulator.folder / "stopped-cleanly"

    @property
    def _deployment_file(self) -> Path:
        return self.places.state / "deployment.json"

    @property
    def _route_file(self) -> Path:
        return self.places.state / "route.json"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.places.home.mkdir(parents=True, exist_ok=True)
        with (self.places.home / "stack.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self.progress.note("another ./berth up or down is at work; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _prepare_machine(self) -> Mapping[str, str]:
        """Make LXD ready; return the variables that tell the functions of it."""
        if not self.machine:
            return {}
        places = self.places
        facts = lxd.prepare(
            places.state,
            self.progress,
            project=places.lxd_project,
            slots=places.slots,
            images=ROOT / ".berth/images",  # shared: making it takes a minute
        )
        return {"BERTH_LXD_SOCKET": facts.socket, "BERTH_LXD_PROJECT": facts.project}

    def _start_emulator(self) -> bool:
        """Return whether it had to be started."""
        running = self.emulator.running_mark()
        if running == self.emulator.mark and self.emulator.answers():
            return False
        if running is None:
            self._tell_loss()
        else:
            with self.progress.step("restarting the local AWS, which is out of date or stuck"):
                self.emulator.stop()
        self._clean_mark.unlink(missing_ok=True)
        with self.progress.step("starting the local AWS"):
            self.emulator.start()
        return True

    def _tell_loss(self) -> None:
        if self._clean_mark.exists() or not self._deployment_file.exists():
            return
        saved = self.emulator.saved_at
        if saved is None:
            lost = "nothing of its state was saved: pipelines, jobs and logs are lost"
        else:
            moment = datetime.fromtimestamp(saved).astimezone().strftime("%H:%M:%S on %d %B")
            lost = f"what was written after {moment} is lost"
        self.progress.note(
            f"! the local AWS did not end cleanly: {lost}.\n"
            "  Jobs that ran are found by the sweeper and run again."
        )

    def _start_doors(self) -> None:
        here = Path(__file__).parent
        mark = processes.mark_of(*(here / name for name in _DOORS_SOURCES))
        running = processes.find_living(_DOORS, self.places.processes)
        if running and running.mark == mark and self._doors_answer():
            return
        processes.stop(_DOORS, self.places.processes)
        for port in (self.places.port, self.places.forge_port):
            holder = processes.holder_of_port(port)
            if holder:
                raise LocalStackError(
                    reason=f"port {port} is in use by {holder}",
                    cure="end that program, or set BERTH_PORT to move the whole stack",
                )
        with self.progress.step("starting the front door and the forge"):
            self._run_doors(mark)

    def _run_doors(self, mark: str) -> None:
        options = {
            "--port": self.places.port,
            "--forge-port": self.places.forge_port,
            "--route": self._route_file,
            "--repositories": self.places.repositories,
        }
        words = [str(word) for pair in options.items() for word in pair]
        log = self.places.logs / "doors.log"
        daemon = processes.start(
            [sys.executable, "-m", "chalicelib.local.doors", *words],
            name=_DOORS,
            folder=self.places.processes,
            log=log,
            environment={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(ROOT)},
            mark=mark,
        )
        processes.wait_ready(daemon, self._doors_answer, log=log, limit_s=_READY_LIMIT_S)

    def _doors_answer(self) -> bool:
        ports = (self.places.port, self.places.forge_port)
        return all(processes.holder_of_port(port) for port in ports)

    def _deploy(self, machine: Mapping[str, str]) -> tuple[Deployment, bool]:
        """Return what is deployed, and whether that was done now."""
        environment = {**self._environment(), **machine}
        made_from = fingerprint(ROOT, environment)
        recorded = deploy.read_deployment(self._deployment_file)
        present = deploy.deployed(self.session)
        if recorded and present and recorded == (made_from, present):
            self._route(present)
            return present, False
        if recorded and not present:
            self.progress.note("! the local AWS has lost the deployment; deploying again")
        with self.progress.step("packaging the application"):
            packed = package(ROOT, self.places.home / "package", environment)
        with self.progress.step("deploying it into the local AWS"):
            deployment = deploy.deploy(self.session, packed)
            # Else a kill within seconds would lose it, with secrets that were already given out.
            self.emulator.snapshot()
        deploy.write_deployment(self._deployment_file, deployment, made_from=made_from)
        self._route(deployment)
        return deployment, True

    def _register_host(self) -> None:
        """Make this machine a host of the default pool; also claims for jobs that wait."""
        host = {"host": "local", "slots": self.places.slots, "pool": "default"}
        self.session.invoke("RegisterHost", host)

    def _route(self, deployment: Deployment) -> None:
        route = edge.Route(emulator=self.emulator.url, api=deployment.api, stage=_STAGE)
        if edge.read_route(self._route_file) != route:
            edge.write_route(self._route_file, route)

    def _environment(self) -> dict[str, str]:
        """Return the functions' settings: those of this machine, under those the caller set."""
        wanted = {
            "BERTH_API_URL": self.places.url,
            "BERTH_GITHUB_API_URL": self.places.forge_url,
            "BERTH_HOST_STATE_DIR": str(self.places.host),
            "BERTH_LXD_PROJECT": self.places.lxd_project,
        }
        known = {field.metadata["variable"] for field in fields(Settings)}
        given = {name: value for name, value in os.environ.items() if name in known and value}
        return {**wanted, **given}


def _part(name: str, pid: int | None, *, answers: bool, where: str) -> Part:
    state = "down" if pid is None else "up" if answers else "stale"
    memory = processes.resident_kib(pid) // 1024 if pid else 0
    return Part(name=name, state=state, pid=pid, memory_mib=memory, where=where)
