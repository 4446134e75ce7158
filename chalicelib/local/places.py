"""Where the local stack keeps its things, and which ports it takes.

`BERTH_STATE_DIR` and `BERTH_PORT` make a second stack beside the first: other folder, other ports,
another LXD project. The virtual environments are shared.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chalicelib.errors import SettingError

__all__ = ["ROOT", "Places"]

ROOT = Path(__file__).resolve().parents[2]
_DEFAULT_PORT = 8700
_LAST_PORT = 65_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folders and ports of one local stack.

    Attributes:
        home: all that this stack writes is below it.
        port: of the front door on 127.0.0.1. The forge has the next one, the emulator the one
            after.
        lxd_project: the LXD project that holds its containers.
        slots: how many containers this machine runs at once.
    """

    home: Path
    port: int
    lxd_project: str
    slots: int = 4

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "Places":
        """Return the places that `environ` (default: the process's) asks for.

        Raises:
            SettingError: `BERTH_PORT` is not a port, or `BERTH_HOST_SLOTS` not a number.
        """
        found = os.environ if environ is None else environ
        default = ROOT / ".berth"
        home = Path(found.get("BERTH_STATE_DIR") or default).expanduser().absolute()
        port = found.get("BERTH_PORT") or str(_DEFAULT_PORT)
        if not port.isdecimal() or not 0 < int(port) < _LAST_PORT:
            raise SettingError(name="BERTH_PORT", reason=f"{port!r} is not a port below 65500")
        # By its folder, always: a sweeper takes what it does not know in its project for leftovers,
        # so two checkouts on one machine must not share one.
        project = f"berth-{hashlib.sha256(str(home).encode()).hexdigest()[:8]}"
        slots = found.get("BERTH_HOST_SLOTS") or str(2 * (os.cpu_count() or 1))
        if not slots.isdecimal() or int(slots) < 1:
            raise SettingError(name="BERTH_HOST_SLOTS", reason=f"{slots!r} is not above zero")
        return cls(home=home, port=int(port), lxd_project=project, slots=int(slots))

    @property
    def url(self) -> str:
        """Where people, GitHub and supervisors reach Berth."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def forge_port(self) -> int:
        """Port of the local GitHub."""
        return self.port + 1

    @property
    def forge_url(self) -> str:
        """The local GitHub: REST API and git."""
        return f"http://127.0.0.1:{self.forge_port}"

    @property
    def emulator_port(self) -> int:
        """Port of the local AWS."""
        return self.port + 2

    @property
    def emulator_python(self) -> Path:
        """Interpreter of the environment that has ministack."""
        return ROOT / ".berth/ministack/bin/python"

    @property
    def logs(self) -> Path:
        """What the background processes print."""
        return self.home / "logs"

    @property
    def state(self) -> Path:
        """What survives `down`."""
        return self.home / "state"

    @property
    def processes(self) -> Path:
        """Records of the background processes."""
        return self.home / "run"

    @property
    def repositories(self) -> Path:
        """The forge's bare repositories."""
        return self.home / "repositories"

    @property
    def host(self) -> Path:
        """Where attempts keep their files: `BERTH_HOST_STATE_DIR`."""
        return self.state / "host"
