"""The steps of a job, each with its log."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from chalicelib.clock import from_ms, to_ms
from chalicelib.model import Job, StepRecord, StepState
from chalicelib.web.ansi import tail
from chalicelib.web.cursor import Follow, OutputState, render_bytes
from chalicelib.web.excerpt import Excerpt
from chalicelib.web.html import EMPTY, Html, el, join
from chalicelib.web.labels import duration, icon, quantity, step_label
from chalicelib.web.views import JobView

__all__ = [
    "StepOutput",
    "follow",
    "log_link",
    "render_output",
    "step_block",
    "step_count",
    "step_id",
    "step_summary",
]

_OPEN = frozenset({StepState.RUNNING, StepState.FAILED, StepState.TIMED_OUT})
_SILENT = frozenset({StepState.WAITING, StepState.SKIPPED})
_SIGNALLED = 128


@dataclass(frozen=True, slots=True)
class StepOutput:
    """A step's output as markup: whole lines, the incomplete last line, and where that leaves off."""

    lines: Html = EMPTY
    tail: Html = EMPTY
    state: OutputState = OutputState()  # noqa: RUF009 - frozen


def render_output(excerpt: Excerpt, state: OutputState, *, log_link: str) -> StepOutput:
    """Return the excerpt as markup; `log_link` leads to all of it."""
    if not excerpt.left_out:
        lines, state = render_bytes(excerpt.data, state)
        return StepOutput(lines, tail(state.ansi), state)
    lines, state = render_bytes(excerpt.data, OutputState())
    notice = el(
        "span",
        f"… {quantity(excerpt.left_out)} before this are not shown here: ",
        el("a", "whole log", href=log_link),
        "\n",
        class_="notice",
    )
    return StepOutput(join(notice, lines), tail(state.ansi), state)


def follow(view: JobView, outputs: Mapping[int, StepOutput], before: Follow | None) -> Follow:
    """Return where a reader is who has seen these outputs, after `before`."""
    if not view.output:
        known = before or Follow(fence=view.job.fence, log="")
        return Follow(fence=view.job.fence, log=view.cursor, step=known.step, state=known.state)
    step = view.output[-1].step
    return Follow(fence=view.job.fence, log=view.cursor, step=step, state=outputs[step].state)


def step_count(view: JobView) -> int:
    """Return how many steps the job shows: those of its spec, and any that reported besides."""
    last = max((record.index for record in view.steps), default=-1)
    printed = max((chunk.step for chunk in view.output), default=-1)
    return max(len(view.step_names), last + 1, printed + 1)


def step_block(view: JobView, index: int, output: StepOutput, now: datetime) -> Html:
    """Return a step with its log. Those that run or went wrong are open."""
    record = _record(view, index)
    name = _name(view, index, record)
    state = record.state if record else StepState.WAITING
    link = log_link(view.job, index)
    log = el(
        "pre",
        el(
            "code",
            el("span", output.lines, class_="lines"),
            el("span", output.tail, class_="tail"),
        ),
        class_="log",
        tabindex=0,
        role="region",
        aria_label=f"Log of step {name}",
    )
    whole = el("p", el("a", "Whole log", href=link), " (plain text)", class_="whole")
    return el(
        "details",
        el("summary", step_summary(view, index, now)),
        el("div", log, whole, class_="body"),
        class_="step",
        id=step_id(view.job, index),
        open=state in _OPEN,
        data_state=state.value,
        data_quiet=state in _SILENT and not output.lines.markup and not output.tail.markup,
    )


def step_summary(view: JobView, index: int, now: datetime) -> Html:
    """Return the line that stands for a step."""
    record = _record(view, index)
    label = step_label(record)
    exit_status = _exit(record) if record else ""
    return join(
        icon(label.tone),
        el("span", _name(view, index, record), class_="name"),
        el("span", record.detail, class_="detail") if record and record.detail else None,
        el("span", exit_status, class_="exit") if exit_status else None,
        el("span", label.word, class_=f"word {label.tone.value}"),
        el("span", _duration(record, now) if record else "", class_="duration"),
    )


def step_id(job: Job, index: int) -> str:
    """Return the id of a step's element."""
    return f"step-{job.id}-{index}"


def log_link(job: Job, index: int) -> str:
    """Return the way from a pipeline's page to a step's whole log."""
    return f"../jobs/{job.id}/log?step={index}"


def _record(view: JobView, index: int) -> StepRecord | None:
    return next((record for record in view.steps if record.index == index), None)


def _name(view: JobView, index: int, record: StepRecord | None) -> str:
    if record and record.name:
        return record.name
    return view.step_names[index] if index < len(view.step_names) else f"Step {index + 1}"


def _exit(record: StepRecord) -> str:
    status = record.exit_status
    if not status:
        return ""
    if status > _SIGNALLED:
        return f"exit status {status} (signal {status - _SIGNALLED})"
    return f"exit status {status}"


def _duration(record: StepRecord, now: datetime) -> str:
    if record.started_at_ms is None:
        return ""
    running = record.state is StepState.RUNNING
    end_ms = (
        record.ended_at_ms if record.ended_at_ms is not None else to_ms(now) if running else None
    )
    return "" if end_ms is None else duration(from_ms(end_ms) - from_ms(record.started_at_ms))
