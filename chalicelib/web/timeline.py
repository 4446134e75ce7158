"""The hops of a job from the webhook to its end: a bar to see, a list and a table to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from chalicelib.clock import from_ms
from chalicelib.model import Job, Pipeline
from chalicelib.web.html import Html, el
from chalicelib.web.labels import duration
from chalicelib.web.views import JobView

__all__ = ["Hop", "hops_of", "timeline"]

_ORDER = ("admitted", "ready", "claimed", "dispatched", "bound", "started", "finished")
_MEANING = {
    "received": "GitHub's delivery was stored",
    "planned": "the config was compiled into jobs",
    "admitted": "the job entered the queue",
    "ready": "its tenant had a slot for it",
    "claimed": "a slot on a host was taken",
    "dispatched": "the host was told to make the container",
    "bound": "the supervisor reported from the host",
    "started": "the first step began",
    "finished": "the outcome was decided",
    "waiting": "until now",
}
_WIDTH = 1000
_LEAST = 6  # of the bar's width, so that a hop of a millisecond can be seen


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop: its name, and when it happened."""

    name: str
    at: datetime


def hops_of(pipeline: Pipeline, view: JobView) -> tuple[Hop, ...]:
    """Return the hops that have happened, in order.

    The first step's own start stands in for "started", which is stored only with the end.
    """
    job = view.job
    times = {"received": pipeline.received_at, "planned": pipeline.planned_at}
    if job.pipeline != pipeline.id:
        times = {}  # it ran for another push, before this one was received
    times |= {name: job.hops.get(name) for name in _ORDER}
    if times["started"] is None and job.live:
        starts = [step.started_at_ms for step in view.steps if step.started_at_ms is not None]
        times["started"] = from_ms(min(starts)) if starts else None
    return tuple(Hop(name, at) for name, at in times.items() if at is not None)


def timeline(pipeline: Pipeline, view: JobView, now: datetime) -> Html | None:
    """Return the timeline of a job; None before anything but the delivery happened."""
    hops = hops_of(pipeline, view)
    pickup = [hop for hop in hops if hop.name != "finished"]
    if len(pickup) < 2:  # noqa: PLR2004 - it takes two to make a distance
        return None
    running = pickup[-1].name != "started" and view.job.outcome is None
    return el(
        "div",
        el("p", _summary(view.job, pickup, now), class_="pickup"),
        _bar(pickup, now if running else None),
        el(
            "ol",
            [_legend(before, hop) for before, hop in pairwise(pickup)],
            _legend(pickup[-1], Hop("waiting", now)) if running else None,
            class_="hops",
        ),
        el("details", el("summary", "Times of the hops"), _table(hops), class_="times"),
        class_="timeline",
    )


def _summary(job: Job, pickup: Sequence[Hop], now: datetime) -> list[Html | str]:
    first, last = pickup[0], pickup[-1]
    if last.name == "started":
        return [el("strong", duration(last.at - first.at)), " from the push to the first step"]
    if job.outcome is not None:
        return ["Ended before its first step, after ", el("strong", duration(last.at - first.at))]
    return [el("strong", duration(now - first.at)), f" since the push; {last.name} so far"]


def _bar(hops: Sequence[Hop], now: datetime | None) -> Html:
    ends = [hop.at for hop in hops] + ([now] if now is not None else [])
    spans = [max(timedelta(0), after - before) for before, after in pairwise(ends)]
    names = [hop.name for hop in hops[1:]] + ["waiting"]
    total = sum(spans, timedelta(0)) or timedelta(milliseconds=1)
    room = _WIDTH - _LEAST * len(spans)
    pieces, left = list[Html](), 0.0
    for name, span in zip(names, spans, strict=False):
        width = _LEAST + room * (span / total)
        pieces.append(
            el("rect", x=f"{left:.1f}", y=0, width=f"{width:.1f}", height=12, class_=f"hop-{name}")
        )
        left += width
    return el(
        "svg",
        pieces,
        class_="bar",
        viewBox=f"0 0 {_WIDTH} 12",
        preserveAspectRatio="none",
        aria_hidden="true",
        focusable="false",
    )


def _legend(before: Hop, hop: Hop) -> Html:
    return el(
        "li",
        el("span", class_=f"key hop-{hop.name}"),
        el("span", hop.name, class_="name"),
        " ",
        el("span", _gap(before, hop), class_="gap"),
        title=_MEANING[hop.name],
    )


def _table(hops: Sequence[Hop]) -> Html:
    rows = [_row(hops[0], "")]
    rows += [_row(hop, f"+{_gap(before, hop)}") for before, hop in pairwise(hops)]
    headings = [el("th", text, scope="col") for text in ("Hop", "At (UTC)", "After", "Meaning")]
    caption = el("caption", "Hops of the job's last attempt", class_="unseen")
    return el("table", caption, el("thead", el("tr", headings)), el("tbody", rows))


def _row(hop: Hop, gap: str) -> Html:
    at = hop.at.astimezone(UTC)
    return el(
        "tr",
        el("th", hop.name, scope="row"),
        el(
            "td", el("time", f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}", datetime=at.isoformat())
        ),
        el("td", gap, class_="number"),
        el("td", _MEANING[hop.name], class_="meaning"),
    )


def _gap(before: Hop, hop: Hop) -> str:
    # "started" is told by the host's clock, which may be behind ours: then nothing is shown as lost.
    gap = max(timedelta(0), hop.at - before.at)
    if gap < timedelta(seconds=10):
        return f"{round(gap / timedelta(milliseconds=1))} ms"
    return duration(gap)
