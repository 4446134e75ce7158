"""The processes that a host in memory knows by number: its shells, and what signals do to them.

A program has no number: it runs within its shell's. A copy of a shell, which is what a real one
forks, goes by the number of the original and is out of reach of signals.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count

__all__ = ["SIGNALS", "Processes"]

SIGNALS: Mapping[str, int] = {
    "0": 0,
    "HUP": 1,
    "INT": 2,
    "QUIT": 3,
    "ABRT": 6,
    "KILL": 9,
    "USR1": 10,
    "USR2": 12,
    "PIPE": 13,
    "ALRM": 14,
    "TERM": 15,
}
"""Those that end a shell, as Linux counts them (man 7 signal), and 0, which only asks.

Not this machine's own `signal`: the host in memory is a Linux everywhere.
"""


class Processes:
    """The shells that are running, of all runs. Safe to use from several threads."""

    def __init__(self) -> None:
        """Begin with none."""
        self._numbers = count(1001)
        self._ended_by: dict[int, int] = {}
        self._lock = threading.Lock()

    def number(self) -> int:
        """Return a number that no process had before."""
        return next(self._numbers)

    @contextmanager
    def running(self) -> Iterator[int]:
        """Keep a new shell among those that are running; yield its number."""
        pid = self.number()
        with self._lock:
            self._ended_by[pid] = 0
        try:
            yield pid
        finally:
            with self._lock:
                del self._ended_by[pid]

    def ended_by(self, pid: int) -> int:
        """Return the signal that a shell has to end by; 0 if there is none."""
        return self._ended_by.get(pid, 0)

    def send(self, pid: int, number: int) -> bool:
        """Send a signal, and return whether there is such a shell. The first that ends it counts."""
        with self._lock:
            found = pid in self._ended_by
            if found and not self._ended_by[pid]:
                self._ended_by[pid] = number
            return found
