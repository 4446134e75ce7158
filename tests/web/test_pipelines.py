from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.model import Outcome, Pipeline, PipelineState
from chalicelib.web import render_pipelines

Parse = Callable[[str], Any]


@dataclass(frozen=True)
class Listed:
    """A page of the list."""

    pipelines: Sequence[Pipeline] = ()
    next: str | None = None


def ended(pipeline: Pipeline, outcome: Outcome) -> Pipeline:
    return replace(
        pipeline,
        state=PipelineState.ENDED,
        outcome=outcome,
        ended_at=pipeline.received_at + timedelta(seconds=63),
    )


def test_each_pipeline_has_a_row(pipeline: Pipeline, now: datetime, parse: Parse) -> None:
    other = replace(ended(pipeline, Outcome.FAILED), id="q" * 16)

    page = parse(render_pipelines(Listed([pipeline, other]), now))

    assert [cell.text for cell in page.all("td")] == [
        "Running",
        "Keep berths apart9f3c2ab4 by ada",
        "harbour/quaymain",
        "34 s ago",
        "34.0 s",
        "Failed",
        "Keep berths apart9f3c2ab4 by ada",
        "harbour/quaymain",
        "34 s ago",
        "1 min 03 s",
    ]
    links = [link.attributes["href"] for link in page.all("a", "title")]
    assert links == ["pipelines/pppppppppppppppp", "pipelines/qqqqqqqqqqqqqqqq"]


def test_the_table_has_headers_and_a_name(pipeline: Pipeline, now: datetime, parse: Parse) -> None:
    page = parse(render_pipelines(Listed([pipeline]), now))

    assert page.one("caption").text == "Pipelines, newest first"
    assert [heading.attributes["scope"] for heading in page.all("th")] == ["col"] * 5


def test_a_pull_request_is_named_by_its_number(
    pipeline: Pipeline, now: datetime, parse: Parse
) -> None:
    pull = replace(pipeline, source=replace(pipeline.source, ref="refs/pull/218/head"))

    page = parse(render_pipelines(Listed([pull]), now))

    assert page.one("code", "branch").text == "PR #218"


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_state_is_told_by_a_word_and_an_icon(
    pipeline: Pipeline, now: datetime, parse: Parse, outcome: Outcome
) -> None:
    page = parse(render_pipelines(Listed([ended(pipeline, outcome)]), now))

    assert page.one("span", "badge").text.lower().replace(" ", "_") == outcome.value
    assert "span" in page.one("svg", "icon").inside


def test_older_pipelines_are_a_link_away(pipeline: Pipeline, now: datetime, parse: Parse) -> None:
    page = parse(render_pipelines(Listed([pipeline], next="a/b?c&d"), now))

    assert page.one("a", "button").attributes["href"] == "?after=a%2Fb%3Fc%26d"


def test_the_last_page_has_no_older_link(pipeline: Pipeline, now: datetime, parse: Parse) -> None:
    page = parse(render_pipelines(Listed([pipeline]), now))

    assert not page.all("a", "button")


def test_an_empty_list_explains_the_first_build(now: datetime, parse: Parse) -> None:
    page = parse(render_pipelines(Listed(), now))

    assert page.one("pre", "command").text == "./berth build PATH"
    assert not page.all("table")


def test_the_list_refreshes_while_something_runs(
    pipeline: Pipeline, now: datetime, parse: Parse
) -> None:
    running = parse(render_pipelines(Listed([pipeline]), now))
    still = parse(render_pipelines(Listed([ended(pipeline, Outcome.SUCCEEDED)]), now))

    assert [meta for meta in running.all("meta") if "http-equiv" in meta.attributes]
    assert not [meta for meta in still.all("meta") if "http-equiv" in meta.attributes]
