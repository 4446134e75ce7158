"""`berth build PATH`: send a push of a local repository through the real webhook, and follow it."""

import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from chalicelib.cli.client import Client
from chalicelib.cli.follow import Follower, exit_status
from chalicelib.cli.frame import command_parser, print_json
from chalicelib.clock import SystemClock, to_ms
from chalicelib.errors import LocalStackError
from chalicelib.local.places import Places
from chalicelib.local.progress import Progress
from chalicelib.local.repositories import ImportedRepository, import_repository

__all__ = ["build", "push_payload"]

_INTERRUPTED = 130
_CANCEL_LIMIT = timedelta(seconds=30)
_SKIP_MARKERS = ("[ci skip]", "[skip ci]")


def build(arguments: Sequence[str]) -> int:
    """Build a repository; return 0 when it succeeded, 1 when not, 2 for infrastructure."""
    parser = command_parser(
        "build",
        "Build the committed HEAD of a git repository, or a plain folder, in the local stack.",
        examples=[
            "./berth build .",
            "./berth build examples/python-app",
            "./berth build ~/code/app --job test",
            "./berth build . --json > result.json",
        ],
    )
    parser.add_argument("path", nargs="?", default=".", type=Path, help="default: this folder")
    parser.add_argument("--job", help="build only the job of this name")
    parser.add_argument(
        "--json", action="store_true", help="print the outcome as JSON on standard output"
    )
    asked = parser.parse_args(arguments)

    from chalicelib.cli.session import open_session

    places, progress = Places.from_environment(), Progress()
    client = open_session(places, progress)
    imported = import_repository(asked.path, places.repositories)
    if imported.dirty:
        progress.note(f"⚠ {asked.path} has changes that are not committed: they are not built")
    clock = SystemClock()
    payload = push_payload(imported, places=places, job=asked.job, rerun=to_ms(clock.now()))
    answer = client.deliver("push", payload)
    if "pipeline" not in answer:
        raise LocalStackError(
            reason=f"the push was ignored: {answer.get('ignored')}", cure="see above"
        )
    progress.note(
        f"{imported.repository} {imported.branch} {imported.sha[:10]} {imported.title}\n"
        f"{places.url}/pipelines/{answer['pipeline']}"
    )
    out = sys.stderr.buffer if asked.json else sys.stdout.buffer
    follower = Follower(client, out, clock=clock, colours=_colours(asked.json))
    try:
        ended = follower.follow(answer["pipeline"])
    except KeyboardInterrupt:
        return _cancel(client, follower, answer["pipeline"], progress=progress)
    return _report(ended, progress, as_json=asked.json)


def push_payload(
    imported: ImportedRepository, *, places: Places, job: str | None, rerun: int
) -> dict[str, Any]:
    """Return the `push` event that GitHub would send, with what only `berth build` adds.

    `berth.rerun` makes each call a pipeline of its own: GitHub's own deliveries never have it. Skip
    markers are left out of the message, since who types the command wants the build.
    """
    title = imported.title
    for marker in _SKIP_MARKERS:
        title = title.replace(marker, "")
    owner, name = imported.repository.split("/")
    return {
        "ref": f"refs/heads/{imported.branch}",
        "before": "0" * 40,
        "after": imported.sha,
        "created": False,
        "deleted": False,
        "forced": False,
        "repository": {
            "id": imported.repository_id,
            "name": name,
            "full_name": imported.repository,
            "owner": {"login": owner},
            "clone_url": f"{places.forge_url}/{imported.repository}.git",
        },
        "head_commit": {
            "id": imported.sha,
            "message": title.strip(),
            "author": {"name": imported.author},
        },
        "pusher": {"name": imported.author},
        "sender": {"login": imported.author},
        "berth": {"rerun": rerun, **({"job": job} if job else {})},
    }


def _cancel(client: Client, follower: Follower, pipeline: str, *, progress: Progress) -> int:
    progress.note("\ncancelling; Ctrl-C again leaves it to itself")
    client.cancel(pipeline)
    ended = follower.follow(pipeline, limit=_CANCEL_LIMIT)
    if ended.get("state") != "ended":
        progress.note("it has not ended yet; the sweeper sees to it")
    return _INTERRUPTED


def _report(ended: dict[str, Any], progress: Progress, *, as_json: bool) -> int:
    if as_json:
        print_json(ended)
    if not ended["jobs"] or ended["outcome"] not in {"succeeded", "failed"}:
        reason = f": {ended['reason']}" if ended["reason"] else ""
        progress.note(f"{(ended['outcome'] or '').replace('_', ' ')}{reason}")
    return exit_status(ended["outcome"])


def _colours(as_json: bool) -> bool:  # noqa: FBT001 - one of one
    return (sys.stderr if as_json else sys.stdout).isatty()
