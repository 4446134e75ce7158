"""How states, times and commits are put into words. Each state has a word and an icon, so that no
meaning hangs on colour alone."""  # noqa: D205, D209 - one thought

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from chalicelib.model import (
    Job,
    JobState,
    Outcome,
    Pipeline,
    PipelineState,
    Source,
    StepRecord,
    StepState,
)
from chalicelib.web.html import Html, el, join

__all__ = [
    "Label",
    "Tone",
    "ago",
    "badge",
    "duration",
    "icon",
    "job_label",
    "outcome_label",
    "pipeline_label",
    "place",
    "quantity",
    "short_sha",
    "step_label",
    "time_element",
]


class Tone(StrEnum):
    """The kinds of state that look different: each has a colour and an icon."""

    GOOD = "good"
    BAD = "bad"
    INFRA = "infra"
    TIME = "time"
    STOP = "stop"
    BUSY = "busy"
    IDLE = "idle"
    NEXT = "next"


@dataclass(frozen=True, slots=True)
class Label:
    """A state in words."""

    word: str
    tone: Tone


_OUTCOMES = {
    Outcome.SUCCEEDED: Label("Succeeded", Tone.GOOD),
    Outcome.FAILED: Label("Failed", Tone.BAD),
    Outcome.CANCELLED: Label("Cancelled", Tone.STOP),
    Outcome.SUPERSEDED: Label("Superseded", Tone.NEXT),
    Outcome.TIMED_OUT: Label("Timed out", Tone.TIME),
    Outcome.INFRASTRUCTURE: Label("Infrastructure", Tone.INFRA),
}
_PIPELINES = {
    PipelineState.RECEIVED: Label("Received", Tone.IDLE),
    PipelineState.PLANNED: Label("Running", Tone.BUSY),
    PipelineState.ENDED: Label("Ended", Tone.STOP),
}
_JOBS = {
    JobState.WAITING: Label("Waiting", Tone.IDLE),
    JobState.PENDING: Label("Waiting for a slot", Tone.IDLE),
    JobState.READY: Label("Queued", Tone.IDLE),
    JobState.LEASED: Label("Starting", Tone.BUSY),
    JobState.RUNNING: Label("Running", Tone.BUSY),
    JobState.CANCELLING: Label("Cancelling", Tone.STOP),
    JobState.DONE: Label("Ended", Tone.STOP),
}
_STEPS = {
    StepState.WAITING: Label("Not started", Tone.IDLE),
    StepState.RUNNING: Label("Running", Tone.BUSY),
    StepState.SUCCEEDED: Label("Succeeded", Tone.GOOD),
    StepState.FAILED: Label("Failed", Tone.BAD),
    StepState.TIMED_OUT: Label("Timed out", Tone.TIME),
    StepState.CANCELLED: Label("Cancelled", Tone.STOP),
    StepState.SKIPPED: Label("Skipped", Tone.NEXT),
}
# Drawn for a 16 by 16 box with a stroke of 1.75; the ring around them is in the icon itself.
_PATHS = {
    Tone.GOOD: "M4.75 8.3 7 10.5l4.25-5",
    Tone.BAD: "M5.5 5.5l5 5m0-5l-5 5",
    Tone.INFRA: "M8 4.5v4.25m0 2.4v.1",
    Tone.TIME: "M8 4.5V8l2.5 1.75",
    Tone.STOP: "M4 12 12 4",
    Tone.BUSY: "",
    Tone.IDLE: "M8 8h.01",
    Tone.NEXT: "M5 8h6M8.75 5.5 11.25 8l-2.5 2.5",
}


def outcome_label(outcome: Outcome) -> Label:
    """Return the words for how something ended."""
    return _OUTCOMES[outcome]


def pipeline_label(pipeline: Pipeline) -> Label:
    """Return the words for where a pipeline is."""
    return _OUTCOMES[pipeline.outcome] if pipeline.outcome else _PIPELINES[pipeline.state]


def job_label(job: Job) -> Label:
    """Return the words for where a job is."""
    return _OUTCOMES[job.outcome] if job.outcome else _JOBS[job.state]


def step_label(record: StepRecord | None) -> Label:
    """Return the words for where a step is; None is a step without a record."""
    return _STEPS[record.state if record else StepState.WAITING]


def icon(tone: Tone) -> Html:
    """Return the icon of a tone. It is decoration: a word always stands beside it."""
    return el(
        "svg",
        el("circle", cx="8", cy="8", r="7", class_="ring"),
        el("path", d=_PATHS[tone]) if _PATHS[tone] else None,
        class_=f"icon {tone.value}",
        viewBox="0 0 16 16",
        width=16,
        height=16,
        aria_hidden="true",
        focusable="false",
    )


def badge(label: Label) -> Html:
    """Return the state as a pill of icon and word."""
    return el("span", icon(label.tone), label.word, class_=f"badge {label.tone.value}")


def duration(span: timedelta) -> str:
    """Return a length of time, two units at most.

    >>> [duration(timedelta(seconds=s)) for s in (-1, 0.042, 9.96, 61, 7384)]
    ['0 ms', '42 ms', '10.0 s', '1 min 01 s', '2 h 03 min']
    """
    seconds = max(0.0, span.total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left:02d} min" if hours else f"{minutes} min {rest:02d} s"


_AGES = (
    (timedelta(seconds=5), None, ""),
    (timedelta(minutes=1), timedelta(seconds=1), "s"),
    (timedelta(hours=1), timedelta(minutes=1), "min"),
    (timedelta(days=1), timedelta(hours=1), "h"),
    (timedelta(days=14), timedelta(days=1), "d"),
)


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago something was, in one unit; after two weeks its date."""
    age = now - moment
    for limit, unit, word in _AGES:
        if age < limit:
            return "just now" if unit is None else f"{age // unit} {word} ago"
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def time_element(moment: datetime, text: str) -> Html:
    """Return the text with the exact time behind it, for programs and for the pointer."""
    exact = moment.astimezone(UTC)
    return el("time", text, datetime=exact.isoformat(), title=f"{exact:%Y-%m-%d %H:%M:%S} UTC")


def short_sha(sha: str) -> Html:
    """Return the commit as people write it; the pointer shows all of it."""
    return el("code", sha[:8], class_="sha", title=sha)


def place(source: Source) -> Html:
    """Return the branch, tag or pull request."""
    kind, _, rest = source.ref.removeprefix("refs/").partition("/")
    match kind:
        case "pull":
            return join("PR #", rest.partition("/")[0])
        case "heads":
            return join(rest)
        case "tags":
            return join("tag ", rest)
        case _:
            return join(source.ref)


def quantity(size: int) -> str:
    """Return a number of bytes.

    >>> [quantity(n) for n in (1, 999, 2048, 5 * 1024 * 1024)]
    ['1 byte', '999 bytes', '2 KiB', '5.0 MiB']
    """
    if size < 1024:  # noqa: PLR2004 - a kibibyte
        return f"{size} byte" if size == 1 else f"{size} bytes"
    kib = size / 1024
    return f"{kib:.0f} KiB" if kib < 1024 else f"{kib / 1024:.1f} MiB"  # noqa: PLR2004 - a mebibyte
