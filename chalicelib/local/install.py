"""Makes the virtual environments and installs the system's packages that a command needs.

Run by the launcher before any of them exists: standard library only, and nothing that imports more.
A stamp in each environment says for which requirement files it was made; a marker says that an
installation has begun, so that an interrupted one is made again from nothing.

pip and venv stay in our session and have our terminal: they have to end with us at Ctrl-C and a
hang-up, and pip, if we alone are killed, to go on holding the lock.
"""

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from chalicelib.errors import LocalStackError
from chalicelib.local import packages
from chalicelib.local.progress import Progress
from chalicelib.shell import command
from chalicelib.transport import run_attached

__all__ = ["ENVIRONMENTS", "Environment", "is_current", "make_current", "make_ready"]

_TAIL_LINES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A virtual environment: its folder under the root, and the files that say what is in it."""

    name: str
    folder: str
    requirements: tuple[str, ...]


_PROJECT = Environment(
    name="the command line and the tests",
    folder=".venv",
    requirements=("requirements.txt", "requirements-dev.txt"),
)
_EMULATOR = Environment(
    name="the local AWS", folder=".berth/ministack", requirements=("requirements-emulator.txt",)
)
_SIDECAR = Environment(
    name="the second state machine interpreter",
    folder=".berth/sidecar",
    requirements=("requirements-sidecar.txt",),
)
ENVIRONMENTS = {
    "up": (_PROJECT, _EMULATOR),
    "build": (_PROJECT, _EMULATOR),
    "bench": (_PROJECT, _EMULATOR),
    "check": (_PROJECT, _EMULATOR),
    "test": (_PROJECT, _EMULATOR, _SIDECAR),
}


def make_ready(root: str, arguments: Sequence[str]) -> int:
    """Install what `./berth <arguments>` needs, and only that; an installed thing costs nothing.

    Returns:
        The exit status for the launcher: 0 when all is there.
    """
    asked = next((word for word in arguments if not word.startswith("-")), "")
    if {"-h", "--help"} & set(arguments):
        asked = ""
    try:
        packages.ensure(asked)
        for environment in ENVIRONMENTS.get(asked, (_PROJECT,)):
            if not is_current(Path(root), environment):
                make_current(Path(root), environment, Progress())
    except LocalStackError as error:
        print(f"berth: {error}", file=sys.stderr)
        return 2
    return 0


def is_current(root: Path, environment: Environment) -> bool:
    """Return whether the environment is complete and made for the files as they are."""
    folder = root / environment.folder
    try:
        stamp = (folder / "berth-stamp").read_text()
    except OSError:
        return False
    return os.access(folder / "bin/python", os.X_OK) and stamp == _wanted(root, environment)


def make_current(root: Path, environment: Environment, progress: Progress) -> None:
    """Make or update the environment. A second caller waits for the first and then does nothing.

    Raises:
        LocalStackError: it could not be made; says why. What was begun is redone next time.
    """
    (root / ".berth/logs").mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(root / ".berth/install.lock", progress) as lock:
        if is_current(root, environment):
            return
        folder, marker = root / environment.folder, root / environment.folder / "berth-installing"
        if marker.exists() or not os.access(folder / "bin/python", os.X_OK):
            _create(folder, progress)
        (folder / "berth-stamp").unlink(missing_ok=True)
        marker.touch()
        _install(root, environment, progress, lock=lock)
        part = folder / "berth-stamp.part"
        part.write_text(_wanted(root, environment))
        part.rename(folder / "berth-stamp")
        marker.unlink()


def _wanted(root: Path, environment: Environment) -> str:
    texts = [(root / name).read_bytes() for name in environment.requirements]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


@contextmanager
def _one_at_a_time(lock: Path, progress: Progress) -> Iterator[int]:
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            progress.note("another ./berth is installing; waiting for it")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield held.fileno()


def _create(folder: Path, progress: Progress) -> None:
    if find_spec("ensurepip") is None:  # Debian keeps it in a package of its own
        packages.ensure_named([f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "berth-installing").touch()
    said: list[str] = []
    with progress.step(f"making {folder.name}"):
        if run_attached(command(sys.executable, "-m", "venv", folder), on_line=said.append):
            raise LocalStackError(
                reason=f"{folder} could not be made: {''.join(said).strip()}",
                cure="check the disk space and the rights on that folder, and run this again",
            )


def _install(root: Path, environment: Environment, progress: Progress, *, lock: int) -> None:
    named = [f"-r{root / name}" for name in environment.requirements]
    total = sum(
        1
        for name in environment.requirements
        for line in (root / name).read_text().splitlines()
        if line and not line.startswith("#")
    )
    python = root / environment.folder / "bin/python"
    quiet = ["--no-input", "--disable-pip-version-check"]
    log = root / ".berth/logs/install.log"
    with progress.step(f"installing {environment.name}"), log.open("a") as record:
        pip = _Pip(record, total, progress)
        status = run_attached(
            command(python, "-m", "pip", "install", quiet, named),
            on_line=pip.said,
            kept=(lock,),  # if we are killed, pip holds the lock until it has ended
        )
        if status:
            raise LocalStackError(
                reason="\n  ".join([f"pip failed for {environment.name}:", *pip.tail]),
                cure=f"check the network and pip's configuration, then run this again; log: {log}",
            )


class _Pip:
    """What pip has said so far."""

    def __init__(self, record: IO[str], total: int, progress: Progress) -> None:
        self.tail: list[str] = []
        self._record, self._total, self._progress = record, total, progress
        self._seen = 0

    def said(self, line: str) -> None:
        """Take one line of it."""
        self._record.write(line)
        self.tail = [*self.tail, line.rstrip()][-_TAIL_LINES:]
        if line.startswith(("Collecting", "Requirement already satisfied")):
            self._seen += 1
            name = line.removeprefix("Requirement already satisfied:").removeprefix("Collecting")
            name = name.split("=")[0].strip()
            self._progress.detail(f"{min(self._seen, self._total)} of {self._total}: {name}")
        elif line.startswith("Installing collected"):
            self._progress.detail("unpacking")
