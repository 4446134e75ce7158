"""The task of a wait loop, for tests: tries once, as its event says it is to go.

`ready_at` is the try that succeeds; without it none does. Until then `raises` names the class that
each try raises; without it they return a false value.
"""

import builtins
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from chalicelib.clock import SystemClock
from chalicelib.wait import WaitPolicy

READY = WaitPolicy(
    name="readiness", sleep=timedelta(seconds=1), tries=3, catch=ConnectionRefusedError
)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return how far the wait is."""
    progress: Mapping[str, Any] = event.get("wait", {})
    number = progress.get("tries", 0) + 1

    def ready() -> bool:
        if number == event.get("ready_at"):
            return True
        if "raises" in event:
            raise getattr(builtins, event["raises"])("not yet")
        return False

    return READY.try_once(ready, progress, clock=SystemClock())
