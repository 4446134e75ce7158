"""What a page shows of an attempt at once: its steps, the end of each one's output, where to go on."""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.logs.paging import Position
from chalicelib.logs.protocol import DEFAULT_TAIL_BYTES, LogStore
from chalicelib.logs.records import steps_over
from chalicelib.model import OutputChunk, StepRecord, StepState

__all__ = ["LogWindow", "read_window"]

WINDOW_BYTES = 1024 * 1024
_RAN = frozenset(StepState) - {StepState.WAITING, StepState.SKIPPED}
_WENT_WELL = frozenset({StepState.SUCCEEDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWindow:
    """Part of an attempt's log.

    Attributes:
        steps: the newest records, by index.
        output: the end of each step's output, in reading order; a step's first offset says how many
            bytes before it are left out.
        cursor: for `LogStore.read_log`: what comes after all of it.
    """

    steps: tuple[StepRecord, ...]
    output: tuple[OutputChunk, ...]
    cursor: str


def read_window(
    logs: LogStore, job: str, fence: int, *, max_bytes: int = WINDOW_BYTES
) -> LogWindow:
    """Return the window on an attempt; an empty one before its first report.

    The records are read first, so the output of a step that they call over is read whole. When all
    does not fit into `max_bytes`, the step that runs comes first, then those that went wrong, then
    the latest; the others come without output.
    """
    steps = logs.steps(job, fence)
    current = steps_over(steps)
    pages, left = {}, max_bytes
    for index in _by_interest(steps, current):
        if left <= 0:
            break
        page = logs.tail(job, fence, step=index, max_bytes=min(left, DEFAULT_TAIL_BYTES))
        left -= sum(len(chunk.data) for chunk in page.chunks)
        pages[index] = page
    output = tuple(chunk for index in sorted(pages) for chunk in pages[index].chunks)
    start = Position(step=current).cursor()
    return LogWindow(
        steps=steps, output=output, cursor=pages[current].cursor if current in pages else start
    )


def _by_interest(steps: Sequence[StepRecord], current: int) -> list[int]:
    others = [step for step in steps if step.state in _RAN and step.index != current]
    others.sort(key=lambda step: (step.state in _WENT_WELL, -step.index))
    return [current, *(step.index for step in others)]
