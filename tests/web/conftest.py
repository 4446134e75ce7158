"""A strict reader of pages, and values to render."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from chalicelib.model import (
    Job,
    JobRef,
    JobState,
    OutputChunk,
    Pipeline,
    PipelineState,
    Source,
    StepRecord,
    StepState,
)
from chalicelib.web import JobView, PipelineView

NOW = datetime(2026, 11, 23, 14, 5, 30, tzinfo=UTC)
VOID = {"br", "hr", "img", "input", "link", "meta"}


@dataclass
class Element:
    """One element of a page."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    inside: tuple[str, ...] = ()


@dataclass
class Page(HTMLParser):
    """A page that was read; reading fails on markup that is not balanced."""

    elements: list[Element] = field(default_factory=list)
    open: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a start."""
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> repeats an attribute"
        element = Element(tag, dict(attrs), inside=tuple(parent.tag for parent in self.open))
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        """Take an end, which must be that of the last start."""
        assert self.open, f"</{tag}> without a start"
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        """Add the text to all that it stands in."""
        for element in self.open:
            element.text += data

    def all(self, tag: str, class_: str = "") -> list[Element]:
        """Return the elements of that tag, with that class if it is given."""
        return [
            element
            for element in self.elements
            if element.tag == tag
            and (not class_ or class_ in (element.attributes.get("class") or "").split())
        ]

    def one(self, tag: str, class_: str = "") -> Element:
        """Return the only element of that tag and class."""
        (found,) = self.all(tag, class_)
        return found

    def by_id(self, name: str) -> Element:
        """Return the element of that id, which must be unique."""
        (found,) = [element for element in self.elements if element.attributes.get("id") == name]
        return found


def read(markup: str) -> Page:
    """Return the page, which must be balanced."""
    page = Page()
    page.feed(markup)
    page.close()
    assert not page.open, f"left open: {[element.tag for element in page.open]}"
    return page


@pytest.fixture
def parse() -> Callable[[str], Page]:
    """Return the function that reads a page."""
    return read


@pytest.fixture
def now() -> datetime:
    """Return the time at which pages are rendered."""
    return NOW


@pytest.fixture
def pipeline() -> Pipeline:
    """Return a pipeline that runs one job."""
    return Pipeline(
        id="pppppppppppppppp",
        tenant="7",
        event="push",
        delivery="d",
        source=Source(
            repository="harbour/quay",
            repository_id="1",
            clone_url="http://127.0.0.1/quay.git",
            sha="9f3c2ab41d07e8f6a5b4c3d2e1f0a9b8c7d6e5f4",
            ref="refs/heads/main",
            title="Keep berths apart",
            author="ada",
        ),
        received_at=NOW - timedelta(seconds=34),
        planned_at=NOW - timedelta(seconds=33, milliseconds=788),
        state=PipelineState.PLANNED,
        jobs=(JobRef(id="jjjjjjjjjjjjjjjj", name="test"),),
    )


@pytest.fixture
def job(pipeline: Pipeline) -> Job:
    """Return a job that runs its second step."""
    start = pipeline.received_at
    milliseconds = {
        "admitted": 224,
        "ready": 225,
        "claimed": 234,
        "dispatched": 398,
        "bound": 1_088,
        "started": 1_396,
    }
    return Job(
        id="jjjjjjjjjjjjjjjj",
        name="test",
        pipeline=pipeline.id,
        tenant="7",
        state=JobState.RUNNING,
        fence=1,
        attempts=1,
        owner="h1",
        host="h1",
        hops={name: start + timedelta(milliseconds=ms) for name, ms in milliseconds.items()},
    )


@pytest.fixture
def steps() -> tuple[StepRecord, ...]:
    """Return a step that succeeded and one that runs."""
    start_ms = round((NOW - timedelta(seconds=32)).timestamp() * 1000)
    return (
        StepRecord(
            index=0,
            name="Checkout code",
            state=StepState.SUCCEEDED,
            exit_status=0,
            started_at_ms=start_ms,
            ended_at_ms=start_ms + 820,
        ),
        StepRecord(
            index=1, name="Run tests", state=StepState.RUNNING, started_at_ms=start_ms + 1000
        ),
    )


@pytest.fixture
def view(pipeline: Pipeline, job: Job, steps: tuple[StepRecord, ...]) -> PipelineView:
    """Return the running pipeline as a page shows it."""
    output = (
        OutputChunk(step=0, offset=0, data=b"Cloning\n"),
        OutputChunk(step=1, offset=0, data=b"first \x1b[31mred\x1b[0m\nhalf a li"),
    )
    names = ("Checkout code", "Run tests", "Upload")
    job_view = JobView(job=job, step_names=names, steps=steps, output=output, cursor="1-30")
    return PipelineView(pipeline=pipeline, jobs=(job_view,))
