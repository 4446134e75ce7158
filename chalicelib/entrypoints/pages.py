"""The pages: load values, render, answer with the security headers. All links are relative."""

import json
from collections.abc import Mapping
from urllib.parse import parse_qs

from chalice import Response
from chalice.app import Request

from chalicelib import wiring
from chalicelib.entrypoints.access import require_reader, sign_in, sign_in_with_token
from chalicelib.entrypoints.guard import GuardedBlueprint
from chalicelib.entrypoints.requests import attempt_number, checked_id, query, read_body
from chalicelib.errors import NotFoundError, TokenError
from chalicelib.logs.window import read_window
from chalicelib.model import Job
from chalicelib.services.context import Berth
from chalicelib.services.find_job import find_job
from chalicelib.services.show_pipeline import Shown, show_pipeline
from chalicelib.web import (
    SECURITY_HEADERS,
    STATIC,
    JobView,
    LiveCursor,
    PipelineView,
    live_update,
    render_error,
    render_login,
    render_pipeline,
    render_pipelines,
    static_file,
)

__all__ = ["blueprint", "error_page"]

blueprint = GuardedBlueprint(__name__)

_PLAIN_PAGE_BYTES = 4 * 1024 * 1024
"""A Lambda's answer may hold 6 MB; a longer log goes on at the `next` link."""


@blueprint.route("/")
def list_pipelines() -> Response:
    """Show the pipelines, newest first."""
    require_reader(blueprint.current_request)
    berth = wiring.berth()
    page = berth.pipelines.list_pipelines(cursor=query(blueprint.current_request, "after") or None)
    return _page(render_pipelines(page, berth.clock.now()))


@blueprint.route("/pipelines/{pipeline}")
def get_pipeline(pipeline: str) -> Response:
    """Show one pipeline with its jobs, steps and logs."""
    require_reader(blueprint.current_request)
    berth = wiring.berth()
    shown = show_pipeline(berth, checked_id("pipeline", pipeline))
    jobs = tuple(_window(berth, shown, job) for job in shown.jobs)
    view = PipelineView(pipeline=shown.pipeline, jobs=jobs)
    return _page(render_pipeline(view, berth.clock.now()))


@blueprint.route("/pipelines/{pipeline}/live")
def follow_pipeline(pipeline: str) -> Response:
    """Answer what is new on a pipeline's page since the cursor `after`, as JSON for its script."""
    require_reader(blueprint.current_request)
    berth = wiring.berth()
    after = LiveCursor.parse(query(blueprint.current_request, "after"))
    shown = show_pipeline(berth, checked_id("pipeline", pipeline))
    jobs = tuple(_news(berth, shown, job, after) for job in shown.jobs)
    view = PipelineView(pipeline=shown.pipeline, jobs=jobs)
    body = json.dumps(live_update(view, after, berth.clock.now()))
    return _answer(body, "application/json")


@blueprint.route("/jobs/{job}/log")
def get_log(job: str) -> Response:
    """Answer a step's output as plain text, as the container wrote it but for invalid UTF-8.

    Query: `step`, `fence` (default: the newest attempt), `cursor` of the part before.
    """
    request = blueprint.current_request
    require_reader(request)
    berth = wiring.berth()
    record = find_job(berth, checked_id("job", job))
    step = query(request, "step")
    if not step.isdecimal():
        raise NotFoundError(reason="no such step")
    text, following = _plain(berth, record, attempt_number(request, record.fence), int(step))
    link = {"Link": f'<?step={step}&cursor={following}>; rel="next"'} if following else {}
    return _answer(text, "text/plain; charset=utf-8", more=link)


@blueprint.route("/static/{name}")
def get_static(name: str) -> Response:
    """Answer a style sheet, script or picture; needs no token, and may be kept for a year."""
    text = static_file(name)
    if text is None:
        raise NotFoundError(reason=f"no file {name}")
    forever = {"Cache-Control": "public, max-age=31536000, immutable"}
    return _answer(text, STATIC[name], more=forever)


@blueprint.route("/login")
def open_link() -> Response:
    """Sign in by a link that works once (`code`), or show the form that asks for the token."""
    code = query(blueprint.current_request, "code")
    return _signed_in(sign_in(code)) if code else _page(render_login())


@blueprint.route("/login", methods=["POST"], content_types=["application/x-www-form-urlencoded"])
def post_token() -> Response:
    """Sign in by the installation's token, from the form."""
    form = parse_qs(read_body(blueprint.current_request).decode("utf-8", "replace"))
    try:
        cookie = sign_in_with_token(form.get("token", [""])[0])
    except TokenError as error:
        return _page(render_login(str(error)), status=401)
    return _signed_in(cookie)


def error_page(request: Request, status: int, sentence: str) -> Response:
    """Return the page of an error; of 401 it is the one that asks for the token."""
    root = _root(request)
    if status == 401:  # noqa: PLR2004 - HTTP's own number
        return _page(render_login(sentence, root=root), status=status)
    return _page(render_error(status, sentence, root=root), status=status)


def _root(request: Request) -> str:
    """Return the relative way from the requested page to the root."""
    depth = str(request.context.get("resourcePath", "/")).strip("/").count("/")
    return "../" * depth


def _page(html: str, *, status: int = 200) -> Response:
    return _answer(html, "text/html; charset=utf-8", status=status)


def _signed_in(cookie: str) -> Response:
    return _answer("", "text/plain", status=303, more={"Set-Cookie": cookie, "Location": "./"})


def _answer(
    body: str, content_type: str, *, status: int = 200, more: Mapping[str, str] | None = None
) -> Response:
    headers: dict[str, str | list[str]] = {
        # Pages and logs are a person's: no cache on the way may keep them.
        "Cache-Control": "no-store",
        **SECURITY_HEADERS,
        "Content-Type": content_type,
        **(more or {}),
    }
    return Response(body, headers=headers, status_code=status)


def _window(berth: Berth, shown: Shown, job: Job) -> JobView:
    if not job.fence:
        return _unstarted(berth, shown, job)
    window = read_window(berth.logs, job.id, job.fence)
    return JobView(
        job=job,
        step_names=_step_names(berth, job),
        steps=window.steps,
        output=window.output,
        cursor=window.cursor,
        waits=shown.waits.get(job.id, ""),
    )


def _news(berth: Berth, shown: Shown, job: Job, after: LiveCursor) -> JobView:
    cursor = after.log_cursor(job)
    if cursor is None:
        return _window(berth, shown, job)
    if not job.fence:
        return _unstarted(berth, shown, job)
    page = berth.logs.read_log(job.id, job.fence, cursor=cursor)
    return JobView(
        job=job,
        step_names=_step_names(berth, job),
        steps=berth.logs.steps(job.id, job.fence),
        output=page.chunks,
        cursor=page.cursor,
        more=page.more,
        waits=shown.waits.get(job.id, ""),
    )


def _unstarted(berth: Berth, shown: Shown, job: Job) -> JobView:
    """Return a job without an attempt: there is no log to read."""
    return JobView(job=job, step_names=_step_names(berth, job), waits=shown.waits.get(job.id, ""))


def _step_names(berth: Berth, job: Job) -> tuple[str, ...]:
    spec = berth.pipelines.get_spec(job.id)
    return tuple(step.name for step in spec.steps) if spec else ()


def _plain(berth: Berth, job: Job, fence: int, step: int) -> tuple[str, str]:
    parts, size = [], 0
    cursor = query(blueprint.current_request, "cursor")
    while True:
        page = berth.logs.read_log(job.id, fence, cursor=cursor, step=step)
        parts += [chunk.data for chunk in page.chunks]
        size += sum(len(chunk.data) for chunk in page.chunks)
        cursor = page.cursor
        if not page.more or size >= _PLAIN_PAGE_BYTES:
            break
    text = b"".join(parts).decode("utf-8", "replace")
    if not page.more:
        return text, ""
    return f"{text}\n[berth] the log goes on at ?step={step}&cursor={cursor}\n", cursor
