"""The verified fake: the same answers as `DynamoLogs`, from dictionaries. For tests only."""

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from chalicelib.logs.archive import Archive, pack
from chalicelib.logs.paging import PAGE_BYTES, Position, cut_page, cut_tail
from chalicelib.logs.protocol import DEFAULT_TAIL_BYTES, LogPage
from chalicelib.logs.records import rank, steps_over
from chalicelib.model import OutputChunk, Result, StepRecord

__all__ = ["MemoryLogs"]


@dataclass(slots=True)
class _Attempt:
    chunks: dict[Position, bytes] = field(default_factory=dict)
    records: dict[int, StepRecord] = field(default_factory=dict)
    sealed: Archive | None = None

    def stored(self) -> Iterator[OutputChunk]:
        for at, data in sorted(self.chunks.items()):
            yield OutputChunk(step=at.step, offset=at.offset, data=data)

    def over(self) -> int | None:
        return steps_over(self.records.values()) if self.sealed is None else None


class MemoryLogs:
    """Keeps everything for ever; a sealed attempt is read from its archive at once."""

    def __init__(self, *, page_bytes: int = PAGE_BYTES) -> None:
        self._page_bytes = page_bytes
        self._attempts: dict[tuple[str, int], _Attempt] = defaultdict(_Attempt)
        self._results: dict[tuple[str, int], Result] = {}
        self._lock = threading.Lock()

    def append(
        self, job: str, fence: int, *, steps: Sequence[StepRecord], output: Sequence[OutputChunk]
    ) -> None:
        """Store chunks and records; see `LogStore`."""
        with self._lock:
            attempt = self._attempts[job, fence]
            for chunk in output:
                at = Position(step=chunk.step, offset=chunk.offset)
                attempt.chunks.setdefault(at, chunk.data)
            for record in steps:
                known = attempt.records.get(record.index)
                if known is None or rank(known) <= rank(record):
                    attempt.records[record.index] = record
            if attempt.sealed is not None:
                self._seal(attempt)

    def read_log(
        self, job: str, fence: int, *, cursor: str = "", step: int | None = None
    ) -> LogPage:
        """Return the next page; see `LogStore`."""
        start = Position.parse(cursor, step=step)
        with self._lock:
            attempt = self._attempts[job, fence]
            if attempt.sealed is not None:
                found = attempt.sealed.chunks(start, step=step)
            else:
                found = (
                    chunk
                    for chunk in attempt.stored()
                    if (chunk.step, chunk.offset) >= (start.step, start.offset)
                    and step in {None, chunk.step}
                )
            return cut_page(found, start=start, over=attempt.over(), max_bytes=self._page_bytes)

    def tail(
        self, job: str, fence: int, *, step: int, max_bytes: int = DEFAULT_TAIL_BYTES
    ) -> LogPage:
        """Return the end of a step's output; see `LogStore`."""
        with self._lock:
            attempt = self._attempts[job, fence]
            if attempt.sealed is not None:
                return attempt.sealed.tail(step=step, max_bytes=max_bytes)
            newest_first = [chunk for chunk in attempt.stored() if chunk.step == step][::-1]
            return cut_tail(newest_first, step=step, sealed=False, max_bytes=max_bytes)

    def steps(self, job: str, fence: int) -> tuple[StepRecord, ...]:
        """Return the newest record of each step, by index."""
        with self._lock:
            records = self._attempts[job, fence].records
            return tuple(records[index] for index in sorted(records))

    def put_result(self, job: str, fence: int, result: Result) -> Result:
        """Store the result if there is none; return the one that is stored."""
        with self._lock:
            return self._results.setdefault((job, fence), result)

    def get_result(self, job: str, fence: int) -> Result | None:
        """Return the stored result."""
        with self._lock:
            return self._results.get((job, fence))

    def seal(self, job: str, fence: int) -> None:
        """Join the chunks into one archive; see `LogStore`."""
        with self._lock:
            self._seal(self._attempts[job, fence])

    @staticmethod
    def _seal(attempt: _Attempt) -> None:
        attempt.sealed = Archive(packed=pack(attempt.stored(), list(attempt.records.values())))
