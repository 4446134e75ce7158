"""The eye on logs: what is written of them to table and bucket, and what supervisors were promised.

K1 to K4 are this project's own invariants, beside the queue protocol's:

- K1: what is stored at an offset of a log never changes, nor does a stored result, and no step's
  record gives way to one of an earlier state.
- K2: who acts for an attempt writes to the log of that attempt alone. A late line of a lost attempt
  is kept beside the log that counts, never in it.
- K3: a job that an attempt ended has that attempt's log sealed.
- K4: a line that was acknowledged is in the log for ever, once and as it was printed; once the log
  is sealed, in the sealed log too.
"""

import io
import json
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from chalicelib.model import OutputChunk
from chalicelib.simulation.engine import Engine
from chalicelib.simulation.history import History, Violation

__all__ = ["LogWatch"]

Attempt = tuple[str, int]
Text = dict[tuple[int, int], int]
"""Bytes by (step, offset)."""

_ENTRY = re.compile(r"(\d{3})(?:\+(\d{14}))?\.log")


class LogWatch:
    """All logs of one world."""

    def __init__(self, engine: Engine, history: History) -> None:
        self._engine = engine
        self._history = history
        self._items: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._results: dict[str, bytes] = {}
        self._text: dict[Attempt, Text] = defaultdict(dict)
        self._promised: dict[Attempt, Text] = defaultdict(dict)
        self._sealed: dict[Attempt, Text] = {}

    def written(self, pk: str, sk: str, raw: Mapping[str, Any]) -> None:
        """Judge an item of a log as it was written."""
        actor = self._engine.current
        _, job, fence = pk.split("#")
        attempt = (job, int(fence))
        if actor is not None and actor.attempt not in {None, attempt}:
            self._found("K2", attempt, f"{actor.name} of {actor.attempt} wrote its {sk}")
        before = self._items.get((pk, sk))
        self._items[pk, sk] = raw
        if before is not None and _text(before) != _text(raw):
            self._found("K1", attempt, f"its chunk {sk} changed")
        if before is not None and _rank(before) > _rank(raw):
            self._found("K1", attempt, f"its record {sk} went back")
        if sk.startswith("C#"):
            _, step, offset = sk.split("#")
            self._text[attempt] |= _spread(int(step), int(offset), _text(raw))

    def stored(self, key: str, body: bytes) -> None:
        """Judge an object as it was stored: a result, or a sealed log."""
        kind, job, name = key.split("/")
        attempt = (job, int(name.partition(".")[0]))
        if kind == "results":
            if self._results.setdefault(key, body) != body:
                self._found("K1", attempt, "its result changed")
            self._history.told(attempt, json.loads(body)["outcome"], self._engine.now_ms)
            return
        self._sealed[attempt] = _unpacked(body)
        self._look(attempt)

    def acknowledged(self, attempt: Attempt, output: tuple[OutputChunk, ...]) -> None:
        """Take note that these lines are said to be kept, whether that is heard or not."""
        for chunk in output:
            self._promised[attempt] |= _spread(chunk.step, chunk.offset, chunk.data)
        self._look(attempt)

    def ended(self, attempt: Attempt) -> None:
        """Judge that the attempt has ended its job."""
        if attempt not in self._sealed:
            self._found("K3", attempt, "it ended its job, and its log is not sealed")

    def _look(self, attempt: Attempt) -> None:
        promised = self._promised[attempt].items()
        if not promised <= self._text[attempt].items():
            self._found("K4", attempt, "an acknowledged line is not in its log")
        if attempt in self._sealed and not promised <= self._sealed[attempt].items():
            self._found("K4", attempt, "an acknowledged line is not in its sealed log")

    def _found(self, invariant: str, attempt: Attempt, told: str) -> None:
        subject, step = f"{attempt[0]}-{attempt[1]}", self._history.step
        found = Violation(invariant=invariant, subject=subject, told=told, step=step)
        self._history.found([found])


def _text(raw: Mapping[str, Any]) -> bytes:
    return zlib.decompress(raw["z"]["B"]) if "z" in raw else b""


def _rank(raw: Mapping[str, Any]) -> int:
    return int(raw["k"]["N"]) if "k" in raw else 0


def _spread(step: int, offset: int, data: bytes) -> Text:
    return {(step, offset + place): byte for place, byte in enumerate(data)}


def _unpacked(body: bytes) -> Text:
    """Return what the sealed log holds, read as anybody with unzip would."""
    text: Text = {}
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        for name in archive.namelist():
            if match := _ENTRY.fullmatch(name):
                text |= _spread(int(match[1]), int(match[2] or 0), archive.read(name))
    return text
