"""The list of pipelines at `/`."""

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from chalicelib.model import Pipeline, PipelineState
from chalicelib.web.html import Html, el, join
from chalicelib.web.labels import (
    ago,
    badge,
    duration,
    pipeline_label,
    place,
    short_sha,
    time_element,
)
from chalicelib.web.layout import page
from chalicelib.web.views import PipelineList

__all__ = ["render_pipelines"]

_REFRESH_S = 10


def render_pipelines(listed: PipelineList, now: datetime) -> str:
    """Return a page of the list, newest first; it loads itself anew while one of them runs."""
    pipelines = listed.pipelines
    running = any(pipeline.state is not PipelineState.ENDED for pipeline in pipelines)
    older = f"?after={quote(listed.next, safe='')}" if listed.next else None
    return page(
        title="Pipelines",
        root="",
        head=el("meta", http_equiv="refresh", content=_REFRESH_S) if running else None,
        main=[
            el("div", el("h1", "Pipelines"), class_="page-title"),
            _table(pipelines, now) if pipelines else _nothing_yet(),
            el(
                "nav",
                el("a", "Older", class_="button", href=older),
                aria_label="Pages",
                class_="pages",
            )
            if older
            else None,
        ],
    )


def _table(pipelines: Sequence[Pipeline], now: datetime) -> Html:
    names = ("State", "Commit", "Repository", "Received", "Duration")
    return el(
        "div",
        el(
            "table",
            el("caption", "Pipelines, newest first", class_="unseen"),
            el("thead", el("tr", [el("th", name, scope="col") for name in names])),
            el("tbody", [_row(pipeline, now) for pipeline in pipelines]),
            class_="pipelines",
        ),
        class_="card",
    )


def _row(pipeline: Pipeline, now: datetime) -> Html:
    source = pipeline.source
    title = source.title or f"Commit {source.sha[:8]}"
    by = join(" by ", el("span", source.author, class_="author")) if source.author else None
    return el(
        "tr",
        el("td", badge(pipeline_label(pipeline)), class_="state"),
        el(
            "td",
            el("a", title, href=f"pipelines/{quote(pipeline.id, safe='')}", class_="title"),
            el("div", short_sha(source.sha), by, class_="sub"),
            class_="commit",
        ),
        el(
            "td",
            el("div", source.repository, class_="repository"),
            el("div", el("code", place(source), class_="branch"), class_="sub"),
            class_="where",
        ),
        el("td", time_element(pipeline.received_at, ago(pipeline.received_at, now)), class_="when"),
        el("td", duration((pipeline.ended_at or now) - pipeline.received_at), class_="took number"),
    )


def _nothing_yet() -> Html:
    return el(
        "section",
        el("h2", "Nothing has been built yet", id="first"),
        el("p", "Build a repository, or a folder, of this machine:"),
        el("pre", el("code", "./berth build PATH"), class_="command"),
        el("p", "or push to a repository whose webhook leads here. It then appears in this list."),
        class_="card empty",
        aria_labelledby="first",
    )
