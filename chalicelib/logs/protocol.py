"""The contract of log storage: what an attempt printed, and how its steps went.

Keyed by (job, fence): a lost attempt's log is kept beside the one that counts. Chunks carry the
step and the offset of their first raw byte, so a repeat overwrites itself with the same bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.model import OutputChunk, Result, StepRecord

__all__ = ["DEFAULT_TAIL_BYTES", "LogPage", "LogStore"]

DEFAULT_TAIL_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """A part of an attempt's output in reading order (by step, then offset).

    Attributes:
        chunks: contiguous per step, not overlapping; at most about 1 MiB of raw bytes. Only in a
            sealed log may an offset jump: what is between was lost for ever.
        cursor: opaque; pass it to `read_log` to go on after the last chunk. The same cursor comes
            back when there is nothing new.
        more: whether another page is stored already.
    """

    chunks: tuple[OutputChunk, ...]
    cursor: str
    more: bool


class LogStore(Protocol):
    """Stores logs, step records and results. All calls may be repeated."""

    def append(
        self, job: str, fence: int, *, steps: Sequence[StepRecord], output: Sequence[OutputChunk]
    ) -> None:
        """Store step records (the newest per index wins) and chunks (first write per offset wins)."""
        ...

    def read_log(
        self, job: str, fence: int, *, cursor: str = "", step: int | None = None
    ) -> LogPage:
        """Return the next page after `cursor`; of one step only when `step` is given.

        Reads chunks while the attempt runs and the sealed object afterwards; a reader cannot tell
        the difference. A malformed cursor raises `PayloadError`.
        """
        ...

    def tail(
        self, job: str, fence: int, *, step: int, max_bytes: int = DEFAULT_TAIL_BYTES
    ) -> LogPage:
        """Return the last `max_bytes` (up to a chunk more) of one step's output.

        The page's cursor goes on behind it, in `read_log` with or without `step`. Costs the same
        however long the log is.
        """
        ...

    def steps(self, job: str, fence: int) -> tuple[StepRecord, ...]:
        """Return the newest record of each step, by index."""
        ...

    def put_result(self, job: str, fence: int, result: Result) -> Result:
        """Store the result under its fence if there is none; return the one that is stored."""
        ...

    def get_result(self, job: str, fence: int) -> Result | None:
        """Return the stored result."""
        ...

    def seal(self, job: str, fence: int) -> None:
        """Join the chunks into one object. Chunks stay until their TTL, so a killed seal is redone."""
        ...
