"""The sealed form of an attempt's log: one zip, readable with any unzip.

`<step>.log` holds a step's output; `<step>+<offset>.log` what followed a part that was lost;
`steps.json` the step records. Bytes in, bytes out: nothing here does I/O. The same chunks and records
always give the same archive, so sealing twice is harmless.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from chalicelib.errors import StoreUnavailableError
from chalicelib.logs.paging import Position, in_order
from chalicelib.logs.protocol import LogPage
from chalicelib.logs.records import parse_records
from chalicelib.model import MAX_CHUNK_BYTES, OutputChunk, StepRecord

__all__ = ["Archive", "pack"]

_STEPS = "steps.json"
_ENTRY = re.compile(r"(?P<step>[0-9]{3})(?:\+(?P<offset>[0-9]{14}))?\.log", re.ASCII)
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold
_LEVEL = 6


def pack(chunks: Iterable[OutputChunk], records: Sequence[StepRecord]) -> bytes:
    """Return the archive of these chunks (in order of step and offset) and records.

    Reads the chunks lazily and holds only compressed bytes, so 50 MB of log need a few MB.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for (step, offset), run in groupby(_with_runs(chunks), key=lambda pair: pair[0]):
            with archive.open(_entry(_name(step, offset)), "w") as entry:
                for _, chunk in run:
                    entry.write(chunk.data)
        ordered = sorted(records, key=lambda record: record.index)
        document = {"version": 1, "steps": [record.to_json() for record in ordered]}
        archive.writestr(_entry(_STEPS), json.dumps(document, sort_keys=True))
    return target.getvalue()


def _with_runs(chunks: Iterable[OutputChunk]) -> Iterator[tuple[tuple[int, int], OutputChunk]]:
    run, at = (0, 0), Position()
    for chunk in in_order(chunks):
        if (chunk.step, chunk.offset) != (at.step, at.offset):
            run = (chunk.step, chunk.offset)
        at = at.after(chunk)
        yield run, chunk


def _name(step: int, offset: int) -> str:
    return f"{step:03d}+{offset:014d}.log" if offset else f"{step:03d}.log"


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=_EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry._compresslevel = _LEVEL  # type: ignore[attr-defined] # noqa: SLF001 - public from 3.13 on
    return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A sealed log. `packed` is what `pack` returned."""

    packed: bytes

    def steps(self) -> tuple[StepRecord, ...]:
        """Return the step records, by index."""
        with self._open() as archive:
            document = json.loads(archive.read(_STEPS))
        return parse_records(document["steps"])

    def chunks(self, start: Position, *, step: int | None = None) -> Iterator[OutputChunk]:
        """Yield the output from `start` on in reading order, of one step only when it is given."""
        with self._open() as archive:
            for run, info in self._runs(archive):
                wanted = run.step == step if step is not None else run.step >= start.step
                if wanted:
                    yield from _read_run(archive, info, run, start)

    def tail(self, *, step: int, max_bytes: int) -> LogPage:
        """Return the page of a step's last `max_bytes` bytes."""
        with self._open() as archive:
            runs = self._runs(archive)
        ends = [run.offset + info.file_size for run, info in runs if run.step == step]
        end = Position(step=step, offset=max(ends, default=0))
        start = Position(step=step, offset=max(0, end.offset - max_bytes))
        return LogPage(chunks=tuple(self.chunks(start, step=step)), cursor=end.cursor(), more=False)

    def _open(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(io.BytesIO(self.packed))
        except zipfile.BadZipFile as error:
            raise StoreUnavailableError(reason="the sealed log cannot be read") from error

    @staticmethod
    def _runs(archive: zipfile.ZipFile) -> list[tuple[Position, zipfile.ZipInfo]]:
        found = []
        for info in archive.infolist():
            if match := _ENTRY.fullmatch(info.filename):
                run = Position(step=int(match["step"]), offset=int(match["offset"] or 0))
                found.append((run, info))
        return sorted(found, key=lambda pair: pair[0])


def _read_run(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, run: Position, start: Position
) -> Iterator[OutputChunk]:
    skip = max(0, start.offset - run.offset) if run.step == start.step else 0
    if skip >= info.file_size:
        return
    offset = run.offset + skip
    with archive.open(info) as entry:
        entry.seek(skip)
        while data := entry.read(MAX_CHUNK_BYTES):
            yield OutputChunk(step=run.step, offset=offset, data=data)
            offset += len(data)
