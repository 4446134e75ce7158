"""Progress on a terminal: what is being done, for how long, and how it ended.

On a terminal a running step shows a moving mark and its seconds on one line; elsewhere each step is
two plain lines. Colours only on a terminal, and never when `NO_COLOR` is set.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

__all__ = ["Progress"]

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_QUICK_S = 0.3


class Progress:
    """Reports steps to people, on standard error by default. Safe to use from one thread."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._colours = self._terminal and not os.environ.get("NO_COLOR")
        self._detail = ""

    def note(self, text: str) -> None:
        """Print one line."""
        print(text, file=self._stream, flush=True)

    def detail(self, text: str) -> None:
        """Say what the running step is at; shown behind its name on a terminal."""
        self._detail = text.strip()[:60]

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show `text` while the block runs, then whether it ended well, and its seconds."""
        started = time.monotonic()
        stop = threading.Event()
        self._detail = ""
        spinner = threading.Thread(target=self._spin, args=(text, started, stop), daemon=True)
        if self._terminal:
            spinner.start()
        else:
            self.note(f"  {text} …")
        mark, colour = "✗", "31"
        try:
            yield
            mark, colour = "✓", "32"
        finally:
            stop.set()
            if self._terminal:
                spinner.join()
            self._ended(mark, colour, text, time.monotonic() - started)

    def _spin(self, text: str, started: float, stop: threading.Event) -> None:
        frame = 0
        while not stop.wait(0.1):
            seconds = time.monotonic() - started
            self._line(f"{_FRAMES[frame % len(_FRAMES)]} {text} {seconds:.0f} s {self._detail}")
            frame += 1

    def _ended(self, mark: str, colour: str, text: str, seconds: float) -> None:
        painted = f"\x1b[{colour}m{mark}\x1b[0m" if self._colours else mark
        took = f" {seconds:.1f} s" if seconds >= _QUICK_S else ""
        if self._terminal:
            self._line("")
        self.note(f"{painted} {text}{took}")

    def _line(self, text: str) -> None:
        self._stream.write(f"\r\x1b[2K{text}")
        self._stream.flush()
