"""What pages are made of: values that the routes load and the renderers read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.model import Job, OutputChunk, Pipeline, StepRecord

__all__ = ["JobView", "PipelineList", "PipelineView"]


class PipelineList(Protocol):
    """A page of the store's list; `queue.PipelinePage` is one. Packages of one layer stay apart."""

    @property
    def pipelines(self) -> Sequence[Pipeline]:
        """The pipelines, newest first."""
        ...

    @property
    def next(self) -> str | None:
        """The cursor of the page after, or None at the end."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job and its current attempt.

    Attributes:
        job: the record.
        step_names: of the spec, so that steps which have not started show too.
        steps: the newest records of the current fence, by index.
        output: in reading order. For a whole page: the end of each step's output. For a live
            update: what came after the update's cursor.
        cursor: the log cursor behind `output`.
        more: whether the log holds more behind `cursor` already.
        waits: one sentence on what the job waits for, or empty.
    """

    job: Job
    step_names: tuple[str, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    output: tuple[OutputChunk, ...] = ()
    cursor: str = ""
    more: bool = False
    waits: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineView:
    """A pipeline and its jobs, in config order. Load the pipeline and jobs before their logs.

    Everything that an attempt printed is stored before its job ends, so a log that was read after
    the job was seen DONE is whole.
    """

    pipeline: Pipeline
    jobs: tuple[JobView, ...] = ()
