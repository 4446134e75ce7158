"""A real LXD for tests, and commands run in its containers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib.fleet.lxd_api import LxdApi
from chalicelib.local.lxd import LxdFacts

__all__ = ["LxdSite"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LxdSite:
    """A real LXD with a project that holds the image and two golden containers."""

    facts: LxdFacts
    api: LxdApi

    def run(self, container: str, *command: str) -> tuple[int, str]:
        """Run a command in a container as root; return its exit status and what it printed."""
        body = {
            "command": command,
            "interactive": False,
            "record-output": True,
            "wait-for-websocket": False,
        }
        result: Mapping[str, Any] = self.api.post("instances", container, "exec", body=body)
        logs = Path(self.facts.socket).parent.parent.parent / "log/lxd"
        text = ""
        for stream in ("1", "2"):
            name = result["metadata"]["output"][stream].rpartition("/")[2]
            recorded = logs / f"{self.facts.project}_{container}" / name
            text += recorded.read_text(errors="replace")
            recorded.unlink()
        return int(result["metadata"]["return"]), text
