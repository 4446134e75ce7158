"""The verified fake of the record of pipelines, and the lock that both fakes are built on."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import update_wrapper
from typing import Concatenate, ParamSpec, TypeVar

from chalicelib.clock import from_ms, to_ms
from chalicelib.model import JobRef, JobSpec, Outcome, Pipeline, PipelineState
from chalicelib.queue.cursor import decode_cursor, encode_cursor
from chalicelib.queue.protocol import PipelinePage
from chalicelib.queue.stamp import sort_key

__all__ = ["Locked", "MemoryPipelines", "atomic", "stored_time"]

_MAX_PAGE = 100
_MAX_REASON = 2_000

_S = TypeVar("_S", bound="Locked")
_P = ParamSpec("_P")
_R = TypeVar("_R")


class Locked:
    """Something whose `atomic` methods run one at a time."""

    def __init__(self) -> None:
        self._lock = threading.RLock()


def atomic(
    method: Callable[Concatenate[_S, _P], _R],
) -> Callable[Concatenate[_S, _P], _R]:
    """Return the method under its object's lock."""

    def locked(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        with self._lock:
            return method(self, *args, **kwargs)

    update_wrapper(locked, method)
    return locked


class MemoryPipelines(Locked):
    """`protocol.PipelineStore` in memory. Safe to share between threads."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self._pipelines: dict[str, Pipeline] = {}
        self._unplanned: set[str] = set()
        self._specs: dict[str, JobSpec] = {}

    @atomic
    def put_pipeline(self, pipeline: Pipeline) -> bool:
        """Store a RECEIVED pipeline if its id is new; return whether it was."""
        if pipeline.id in self._pipelines:
            return False
        self._pipelines[pipeline.id] = replace(
            pipeline, received_at=stored_time(pipeline.received_at)
        )
        self._unplanned.add(pipeline.id)
        return True

    @atomic
    def get_pipeline(self, pipeline: str) -> Pipeline | None:
        """Return the pipeline."""
        return self._pipelines.get(pipeline)

    @atomic
    def list_pipelines(self, *, limit: int = 25, cursor: str | None = None) -> PipelinePage:
        """Return a page of 1 to 100, newest first. A malformed cursor raises `PayloadError`."""
        before = decode_cursor(cursor) if cursor else None
        most = max(1, min(limit, _MAX_PAGE))
        found = {_order(each): each for each in self._pipelines.values()}
        orders = sorted(
            (order for order in found if before is None or order < before), reverse=True
        )
        shown = orders[:most]
        return PipelinePage(
            pipelines=tuple(found[order] for order in shown),
            next=encode_cursor(shown[-1]) if len(orders) > most else None,
        )

    @atomic
    def unplanned(self, *, before: datetime, limit: int = 25) -> Sequence[str]:
        """Return ids, oldest first, of pipelines RECEIVED before that time and not all admitted."""
        found = sorted((self._pipelines[each] for each in self._unplanned), key=_order)
        return [each.id for each in found if each.received_at < stored_time(before)][:limit]

    @atomic
    def put_specs(self, specs: Mapping[str, JobSpec]) -> None:
        """Store the spec of each job id."""
        self._specs.update(specs)

    @atomic
    def get_spec(self, job: str) -> JobSpec | None:
        """Return the spec of a job."""
        return self._specs.get(job)

    @atomic
    def mark_planned(self, pipeline: str, *, jobs: Sequence[JobRef], now: datetime) -> bool:
        """RECEIVED → PLANNED with these jobs; False if it was not RECEIVED."""
        seen = self._pipelines.get(pipeline)
        if seen is None or seen.state is not PipelineState.RECEIVED:
            return False
        self._pipelines[pipeline] = replace(
            seen, state=PipelineState.PLANNED, jobs=tuple(jobs), planned_at=stored_time(now)
        )
        return True

    @atomic
    def mark_admitted(self, pipeline: str) -> None:
        """Take a PLANNED pipeline out of `unplanned`."""
        seen = self._pipelines.get(pipeline)
        if seen is not None and seen.state is PipelineState.PLANNED:
            self._unplanned.discard(pipeline)

    @atomic
    def end_pipeline(self, pipeline: str, *, outcome: Outcome, reason: str, now: datetime) -> bool:
        """→ ENDED unless it has ended; False if it had, or never was."""
        seen = self._pipelines.get(pipeline)
        if seen is None or seen.state is PipelineState.ENDED:
            return False
        self._pipelines[pipeline] = replace(
            seen,
            state=PipelineState.ENDED,
            outcome=outcome,
            reason=reason[:_MAX_REASON],
            ended_at=stored_time(now),
        )
        self._unplanned.discard(pipeline)
        return True


def stored_time(moment: datetime) -> datetime:
    """Return the time cut to what the table keeps of it: milliseconds."""
    return from_ms(to_ms(moment))


def _order(pipeline: Pipeline) -> str:
    return sort_key(to_ms(pipeline.received_at), pipeline.id)
