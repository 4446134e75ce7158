"""Where a live page is: for each job its attempt, its place in the log, and the terminal's state.

The page hands it back with each poll, so the server keeps nothing. It is the reader's own and is not
signed: a forged one shows its forger some other part of what he may read anyway.
"""

import base64
import binascii
import codecs
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.errors import PayloadError
from chalicelib.model import Job
from chalicelib.web.ansi import MAX_PENDING, PLAIN, AnsiState, ansi_to_html
from chalicelib.web.html import Html

__all__ = ["Follow", "LiveCursor", "OutputState", "render_bytes"]

_VERSION = 1
_MAX_TEXT = 16 * 1024
_MAX_JSON = 1024 * 1024
_MAX_STYLE = 200


@dataclass(frozen=True, slots=True)
class OutputState:
    """What one piece of a step's output leaves for the next: `partial` is a cut-off character."""

    ansi: AnsiState = field(default_factory=AnsiState)
    partial: bytes = b""


def render_bytes(data: bytes, state: OutputState) -> tuple[Html, OutputState]:
    """Return the lines that `data` completes, as HTML; bytes that are no UTF-8 show as �."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(state.partial + data)
    markup, ansi = ansi_to_html(text, state.ansi)
    return markup, OutputState(ansi, decoder.getstate()[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """Where the reader of one attempt is. `state` is that of the output of `step`."""

    fence: int
    log: str
    step: int = 0
    state: OutputState = field(default_factory=OutputState)


@dataclass(frozen=True, slots=True)
class LiveCursor:
    """The places by job id."""

    jobs: Mapping[str, Follow] = field(default_factory=dict)

    def log_cursor(self, job: Job) -> str | None:
        """Return where to go on in the log of the job's current attempt.

        None: the reader does not know this attempt; load what a whole page would show of the job.
        """
        follow = self.jobs.get(job.id)
        return follow.log if follow is not None and follow.fence == job.fence else None

    def encode(self) -> str:
        """Return text for a URL; a few hundred characters for a usual pipeline."""
        rows = [[job, *_row(follow)] for job, follow in self.jobs.items()]
        packed = zlib.compress(json.dumps([_VERSION, rows]).encode(), 9)
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> "LiveCursor":
        """Return what `encode` wrote; the empty text knows no job.

        Raises:
            PayloadError: it is not a cursor of ours.
        """
        if not text:
            return cls()
        try:
            version, rows = json.loads(_unpack(text))
            if version == _VERSION:
                return cls({str(job): _follow(row) for job, *row in rows})
        except (ValueError, TypeError, zlib.error, binascii.Error, RecursionError) as error:
            raise PayloadError(reason="the live cursor is malformed") from error
        raise PayloadError(reason="the live cursor is of another version")


def _unpack(text: str) -> bytes:
    if len(text) > _MAX_TEXT:
        raise ValueError("too long")
    packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    return zlib.decompressobj().decompress(packed, _MAX_JSON)


def _row(follow: Follow) -> list[Any]:
    ansi = follow.state.ansi
    return [
        follow.fence,
        follow.log,
        follow.step,
        ansi.style.sgr() if ansi.style != PLAIN else "",
        ansi.pending,
        follow.state.partial.hex(),
    ]


def _follow(row: list[Any]) -> Follow:
    match row:
        case [int(fence), str(log), int(step), str(style), str(pending), str(partial)]:
            # The style travels as the escape sequence that sets it, and is read like any other.
            _, ansi = ansi_to_html(style[:_MAX_STYLE] + "\n", AnsiState())
            ansi = AnsiState(style=ansi.style, pending=pending[: 2 * MAX_PENDING])
            state = OutputState(ansi, bytes.fromhex(partial)[:4])
            return Follow(fence=fence, log=log, step=step, state=state)
        case _:
            raise TypeError("not a row of ours")
