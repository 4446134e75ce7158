"""Which stored chunks a reader may see next: the rules of reading order, without any I/O.

A reader gets one step after the other, each from its first byte on, and a cursor that names the next
byte. It must never be led past bytes that are still on their way, so:

- Within a step, a chunk follows only if it starts exactly where the one before it ended. A gap ends
  the page. A chunk that starts inside an earlier one (only a broken or hostile sender makes those) is
  passed over, so what is read does not depend on where pages were cut.
- A reader leaves a step only when the step is over by the records (`records.steps_over`) and a later
  step has output. Senders report one after another, in reading order, and send the record that ends
  a step, or starts the next, no sooner than the step's last bytes; stores write a report's chunks
  step by step and its records last. So a record that says "over" is proof that every byte of that
  step is stored.
- Once an attempt is sealed nothing more is expected: gaps are jumped over and every step counts as
  over. A chunk's offset then shows how much is missing.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chalicelib.errors import PayloadError
from chalicelib.logs.protocol import LogPage
from chalicelib.model import OutputChunk

__all__ = ["PAGE_BYTES", "Position", "cut_page", "cut_tail", "in_order"]

PAGE_BYTES = 1024 * 1024
"""Raw bytes in a page. A Lambda answers at most 6 MB, and a page travels as escaped HTML or JSON."""

_CURSOR = re.compile(r"(?P<step>[0-9]{1,3})-(?P<offset>[0-9]{1,13})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Position:
    """The next raw byte to read: `offset` bytes of `step` have been read already."""

    step: int = 0
    offset: int = 0

    def cursor(self) -> str:
        """Return the text that `parse` reads. Callers must not look inside.

        >>> Position(step=3, offset=1024).cursor()
        '3-1024'
        """
        return f"{self.step}-{self.offset}"

    @classmethod
    def parse(cls, cursor: str, *, step: int | None = None) -> "Position":
        """Return the position of a cursor; the empty one is the start (of `step` if given).

        Raises:
            PayloadError: it is not a cursor of ours, or one of another step than `step`.
        """
        if not cursor:
            return cls(step=step or 0)
        match = _CURSOR.fullmatch(cursor)
        if match is None:
            raise PayloadError(reason="the log cursor is malformed")
        found = cls(step=int(match["step"]), offset=int(match["offset"]))
        if step is not None and found.step != step:
            raise PayloadError(reason="the log cursor belongs to another step")
        return found

    def after(self, chunk: OutputChunk) -> "Position":
        """Return the position behind the chunk."""
        return Position(step=chunk.step, offset=chunk.offset + len(chunk.data))


def in_order(chunks: Iterable[OutputChunk]) -> Iterator[OutputChunk]:
    """Yield the chunks less those that start inside an earlier one. Takes and gives reading order."""
    at = Position()
    for chunk in chunks:
        if chunk.step != at.step or chunk.offset >= at.offset:
            at = at.after(chunk)
            yield chunk


def cut_page(
    chunks: Iterable[OutputChunk],
    *,
    start: Position,
    over: int | None,
    max_bytes: int = PAGE_BYTES,
) -> LogPage:
    """Return the page that starts at `start`.

    Args:
        chunks: what is stored from `start` on, in order of (step, offset). Read lazily: nothing is
            taken from it beyond the first chunk that does not fit.
        start: the next byte wanted.
        over: steps below this number are over, see `records.steps_over`; None once the attempt is sealed.
        max_bytes: of raw output. A first chunk larger than that makes a page of its own.
    """
    at, taken, size = start, list[OutputChunk](), 0
    for chunk in chunks:
        if chunk.step == at.step and chunk.offset < at.offset:
            continue
        if over is not None and not _follows(chunk, at, over):
            break
        if taken and size + len(chunk.data) > max_bytes:
            return LogPage(chunks=tuple(taken), cursor=at.cursor(), more=True)
        taken.append(chunk)
        size += len(chunk.data)
        at = at.after(chunk)
    return LogPage(chunks=tuple(taken), cursor=at.cursor(), more=False)


def _follows(chunk: OutputChunk, at: Position, over: int) -> bool:
    if chunk.step == at.step:
        return chunk.offset == at.offset
    return chunk.step <= over and chunk.offset == 0


def cut_tail(
    newest_first: Iterable[OutputChunk], *, step: int, sealed: bool, max_bytes: int
) -> LogPage:
    """Return the page of a step's last chunks: as many as reach `max_bytes`, in reading order.

    Its cursor is where `cut_page` goes on. Before the attempt is sealed the page stops at the first
    gap that it contains, so that a follower still gets what is missing.
    """
    taken, size = list[OutputChunk](), 0
    for chunk in newest_first:
        if size >= max_bytes:
            break
        taken.append(chunk)
        size += len(chunk.data)
    taken.reverse()
    start = Position(step=step, offset=taken[0].offset if taken else 0)
    over = None if sealed else step
    page = cut_page(taken, start=start, over=over, max_bytes=size)
    return LogPage(chunks=page.chunks, cursor=page.cursor, more=False)
