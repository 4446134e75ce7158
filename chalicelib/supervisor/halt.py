"""Whether the attempt must stop, and why: one place that every thread and wait looks at."""

from __future__ import annotations

import threading
import time

from chalicelib.supervisor.verdict import CANCELLED, TIMED_OUT, Ending, duration_text

__all__ = ["Halt"]


class Halt:
    """Collects what can stop the attempt. The first cause wins; a lost attempt overrides all.

    Attributes:
        lost: set when the control plane disowned the attempt.
    """

    def __init__(self, *, time_limit_s: float) -> None:
        self.lost = threading.Event()
        self.lost_reason = ""
        self._deadline = time.monotonic() + time_limit_s
        self._time_limit_s = time_limit_s
        self._ending: Ending | None = None

    def cancel(self, reason: str = "cancelled") -> None:
        """Ask for an end as cancelled. Safe in a signal handler, and to repeat."""
        if self._ending is None:
            self._ending = Ending(CANCELLED, reason)

    def lose(self, reason: str) -> None:
        """Note that the attempt is not ours any more. Safe to repeat."""
        if not self.lost.is_set():
            self.lost_reason = reason
            self.lost.set()

    def ending(self) -> Ending | None:
        """Return why the steps must stop now, or None to go on."""
        if self._ending is None and time.monotonic() >= self._deadline:
            limit = duration_text(self._time_limit_s)
            self._ending = Ending(TIMED_OUT, f"the job reached its time limit of {limit}")
        if self.lost.is_set():
            return Ending(CANCELLED, "another attempt has taken over")
        return self._ending

    def stopped(self) -> bool:
        """Return whether `ending` has something to say."""
        return self.ending() is not None
