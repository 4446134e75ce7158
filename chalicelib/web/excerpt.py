"""How much of each step's output a page shows.

A log may have 50 MB; a page must stay light for the browser and below Lambda's answer of 6 MB. In the
worst case (a change of colour at each character) markup is eleven times as long as the raw text,
JSON quoting included, so all excerpts of a page together stay below `PAGE_BYTES`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.model import OutputChunk, StepState
from chalicelib.web.views import JobView

__all__ = ["PAGE_BYTES", "STEP_BYTES", "STEP_LINES", "Excerpt", "excerpts"]

PAGE_BYTES = 400 * 1024
STEP_BYTES = 256 * 1024
STEP_LINES = 2_000

_WENT_WELL = frozenset({StepState.SUCCEEDED, StepState.SKIPPED})


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The end of a piece of output, and how many bytes before it are left out."""

    data: bytes
    left_out: int = 0


def excerpts(
    jobs: Sequence[JobView], *, continues: bool, budget: int = PAGE_BYTES
) -> Mapping[tuple[str, int], Excerpt]:
    """Return what to show of each (job id, step) that has output.

    What runs or went wrong gets its share first.

    Args:
        jobs: with their output.
        continues: whether a reader has seen what came before the output (a live update) or not.
        budget: raw bytes for all of them together.
    """
    found = {}
    for job, step, chunks in sorted(_steps(jobs), key=_by_interest):
        before = 0 if continues else chunks[0].offset
        excerpt = _cut(b"".join(_with_gaps(chunks)), min(budget, STEP_BYTES))
        budget -= len(excerpt.data)
        found[job.job.id, step] = Excerpt(excerpt.data, excerpt.left_out + before)
    return found


def _steps(jobs: Iterable[JobView]) -> Iterator[tuple[JobView, int, list[OutputChunk]]]:
    for job in jobs:
        by_step: dict[int, list[OutputChunk]] = {}
        for chunk in job.output:
            by_step.setdefault(chunk.step, []).append(chunk)
        for step, chunks in by_step.items():
            yield job, step, chunks


def _by_interest(found: tuple[JobView, int, list[OutputChunk]]) -> bool:
    job, step, _ = found
    return any(record.index == step and record.state in _WENT_WELL for record in job.steps)


def _with_gaps(chunks: Sequence[OutputChunk]) -> Iterator[bytes]:
    at = chunks[0].offset
    for chunk in chunks:
        if chunk.offset > at:
            yield b"\n[berth: %d bytes of output were lost here]\n" % (chunk.offset - at)
        yield chunk.data
        at = chunk.offset + len(chunk.data)


def _cut(data: bytes, most: int) -> Excerpt:
    start = max(0, len(data) - most)
    line, end = len(data), len(data.removesuffix(b"\n"))
    for _ in range(STEP_LINES):
        line = data.rfind(b"\n", start, end)
        if line < 0:
            break
        end = line
    if line >= 0:
        start = line + 1
    elif start:
        # In the middle of a line: go on to the next one, if it is not far.
        start = data.find(b"\n", start, start + 4096) + 1 or start
    return Excerpt(data[start:], start)
