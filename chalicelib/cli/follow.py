"""Follow a pipeline in a terminal: output as the container wrote it, steps as they go."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, BinaryIO

from chalicelib.cli.client import Client, LogAnswer
from chalicelib.clock import Clock
from chalicelib.errors import NotFoundError, NotReadyError, StoreUnavailableError
from chalicelib.wait import WaitPolicy, did_not_raise

__all__ = ["Follower", "JobView", "exit_status"]

_POLL = timedelta(milliseconds=250)
_ANSWER = WaitPolicy(
    name="an answer of the API",
    sleep=_POLL,
    tries=240,
    catch=StoreUnavailableError,
    success=did_not_raise,
)
_END = WaitPolicy(name="the end of the pipeline", sleep=_POLL, tries=None)

_MARKS = {
    "succeeded": ("✓", "32"),
    "failed": ("✗", "31"),
    "timed_out": ("⏱", "31"),
    "cancelled": ("⊘", "33"),
    "superseded": ("⊘", "33"),
    "skipped": ("·", "90"),
    "infrastructure": ("⚠", "35"),
}
_WAITING = frozenset({"waiting", "pending", "ready"})
_STATUS = {"succeeded": 0, "infrastructure": 2}


def exit_status(outcome: str | None) -> int:
    """Return 0 for succeeded, 2 for infrastructure, 1 for everything else.

    >>> exit_status("succeeded"), exit_status("failed"), exit_status("infrastructure")
    (0, 1, 2)
    """
    return _STATUS.get(outcome or "", 1)


@dataclass(slots=True, kw_only=True)
class JobView:
    """How far one job has been shown. Bytes are held until a line is whole if lines get a prefix."""

    name: str
    prefix: bytes = b""
    fence: int = 0
    cursor: str = ""
    ended: bool = False
    shown_step: int | None = None
    closed: set[int] = field(default_factory=set)
    seen_ended: set[int] = field(default_factory=set)
    held: bytes = b""
    last_byte: bytes = b"\n"


class Follower:
    """Shows one pipeline until it has ended."""

    def __init__(self, client: Client, out: BinaryIO, *, clock: Clock, colours: bool) -> None:
        self._client = client
        self._out = out
        self._clock = clock
        self._colours = colours
        self._views: dict[str, JobView] = {}
        self._waits: dict[str, str] = {}
        self._silent = False

    def follow(self, pipeline: str, *, limit: timedelta | None = None) -> dict[str, Any]:
        """Show the pipeline until it has ended, or the limit is over; return it as it was last.

        An API that is away for less than a minute is waited for.

        Raises:
            StoreUnavailableError: the API did not answer for a minute.
            NotFoundError: there is no such pipeline.
        """
        policy = replace(_END, timeout=limit, success=self._has_ended)
        try:
            return policy.wait(lambda: self._answer(pipeline), clock=self._clock)
        except NotReadyError as over:
            last: dict[str, Any] = over.last_value
            return last

    def _answer(self, pipeline: str) -> dict[str, Any]:
        def shown() -> dict[str, Any]:
            last = self._client.pipeline(pipeline)
            self._show(last)
            return last

        last = _ANSWER.wait(shown, clock=self._clock, error_hook=self._tell_silence)
        self._silent = False
        return last

    def _tell_silence(self, error: Exception) -> None:
        if not self._silent and isinstance(error, StoreUnavailableError):
            self._line(f"waiting for the API: {error}", "33")
            self._silent = True

    def _has_ended(self, pipeline: Mapping[str, Any]) -> bool:
        ended = all(view.ended for view in self._views.values())
        return ended and pipeline.get("state") == "ended"

    def _show(self, pipeline: Mapping[str, Any]) -> None:
        jobs = pipeline["jobs"]
        width = max((len(job["name"]) for job in jobs), default=0)
        for position, job in enumerate(jobs):
            if job["id"] not in self._views:
                label = f"{job['name']:<{width}} │ ".encode() if len(jobs) > 1 else b""
                painted = self._paint(label, str(36 - position % 3)) if label else b""
                self._views[job["id"]] = JobView(name=job["name"], prefix=painted)
            view = self._views[job["id"]]
            self._show_wait(view, job)
            if not view.ended and job.get("fence", 0) > 0:
                self._show_job(view, job["id"])
            elif job.get("outcome") and not view.ended:
                self._end_job(view, job)

    def _show_wait(self, view: JobView, job: Mapping[str, Any]) -> None:
        waits, state = job.get("waits_for") or "", job["state"]
        # What changes from second to second (its place, the states of what it needs) is told once.
        cause = state if state == "waiting" else f"{state} {waits.partition(';')[0]}"
        if waits and state in _WAITING and self._waits.get(view.name) != cause:
            self._waits[view.name] = cause
            self._line(f"{view.name} is {state}: {waits}", "90")

    def _show_job(self, view: JobView, job: str) -> None:
        while True:
            try:
                page = self._client.log(job, cursor=view.cursor)
            except NotFoundError:
                return
            if page.fence != view.fence:
                self._new_attempt(view, page)
                continue
            self._show_page(view, page)
            if page.ended:
                self._end_job(view, page.job)
            if not page.more:
                return

    def _new_attempt(self, view: JobView, page: LogAnswer) -> None:
        if view.fence:
            self._flush(view)
            reason = page.job.get("reason") or "the attempt was lost"
            self._line(f"{view.name}: attempt {page.fence}, because: {reason}", "35")
        view.fence, view.cursor, view.shown_step = page.fence, "", None
        view.closed.clear()
        view.seen_ended.clear()

    def _show_page(self, view: JobView, page: LogAnswer) -> None:
        steps = {step["index"]: step for step in page.steps}
        for chunk in page.chunks:
            self._open_step(view, chunk.step, steps)
            self._write(view, chunk.data)
        view.cursor = page.cursor
        for index, step in sorted(steps.items()):
            if step["state"] in {"waiting", "skipped"} or index in view.closed:
                continue
            self._open_step(view, index, steps)
            # Its last output may be stored a moment after its end: the mark waits for a quiet page.
            if step["state"] != "running":
                if (index in view.seen_ended or page.ended) and not page.more:
                    self._close_step(view, step)
                view.seen_ended.add(index)
            break

    def _open_step(self, view: JobView, index: int, steps: Mapping[int, Mapping[str, Any]]) -> None:
        if view.shown_step == index or index in view.closed:
            return
        if view.shown_step is not None and view.shown_step in steps:
            self._close_step(view, steps[view.shown_step])
        view.shown_step = index
        name = steps[index]["name"] if index in steps else f"step {index + 1}"
        self._flush(view)
        self._line(f"▸ {name}", "1", view=view)

    def _close_step(self, view: JobView, step: Mapping[str, Any]) -> None:
        if step["index"] in view.closed or step["state"] == "running":
            return
        self._flush(view)
        view.closed.add(step["index"])
        mark, colour = _MARKS.get(step["state"], ("?", "0"))
        took = ""
        if step["started_at_ms"] and step["ended_at_ms"]:
            took = f" {(step['ended_at_ms'] - step['started_at_ms']) / 1000:.1f} s"
        exited = f", exit status {step['exit_status']}" if step["exit_status"] else ""
        detail = f", {step['detail']}" if step["detail"] else ""
        self._line(f"{mark} {step['name']}{took}{exited}{detail}", colour, view=view)

    def _end_job(self, view: JobView, job: Mapping[str, Any]) -> None:
        self._flush(view)
        view.ended = True
        mark, colour = _MARKS.get(job["outcome"] or "", ("?", "0"))
        outcome = (job["outcome"] or "lost").replace("_", " ")
        reason = f": {job['reason']}" if job["reason"] else ""
        self._line(f"{mark} {view.name} {outcome}{reason}", f"1;{colour}")

    def _write(self, view: JobView, raw: bytes) -> None:
        if not view.prefix:
            self._out.write(raw)
            view.last_byte = raw[-1:]
        else:
            *lines, view.held = (view.held + raw).split(b"\n")
            for line in lines:
                self._out.write(view.prefix + line + b"\n")
        self._out.flush()

    def _flush(self, view: JobView) -> None:
        if view.held:
            self._out.write(view.prefix + view.held + b"\n")
            view.held = b""
        if view.last_byte != b"\n":
            self._out.write(b"\n")
            view.last_byte = b"\n"

    def _line(self, text: str, colour: str, *, view: JobView | None = None) -> None:
        prefix = view.prefix if view else b""
        self._out.write(prefix + self._paint(text.encode(), colour) + b"\n")
        self._out.flush()

    def _paint(self, text: bytes, colour: str) -> bytes:
        return b"\x1b[" + colour.encode() + b"m" + text + b"\x1b[0m" if self._colours else text
