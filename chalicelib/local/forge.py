"""The local GitHub: the three REST calls that Berth makes, and git over HTTP, for bare repositories.

It only reads. Names and commits are matched against strict patterns before git sees them, and git
reads objects, not files, so no request can reach outside a repository.

Git runs in threads, as transports do, and waits there while a client is slow to take what it says.
"""

import asyncio
import base64
import re
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from chalicelib.local import git
from chalicelib.local.repositories import bare_path
from chalicelib.shell import command
from chalicelib.transport import Chunk, LocalTransport, Result

__all__ = ["forge"]

_COMMIT = re.compile(r"^[0-9a-f]{40}$")
_PROTOCOL = re.compile(r"^version=[0-9](:[a-z0-9=-]{1,40}){0,4}$")
_MAX_REQUEST = 64 << 20
_RAW = "application/vnd.github.raw"
_AT_ONCE = 64
"""Fetches; the next ones wait."""
_FOLDER = web.AppKey("folder", Path)
_THREADS = web.AppKey("threads", ThreadPoolExecutor)


def forge(repositories: Path) -> web.Application:
    """Return the application that serves the bare repositories below that folder."""
    app = web.Application(client_max_size=_MAX_REQUEST)
    app[_FOLDER] = repositories
    app.cleanup_ctx.append(_threads)
    app.router.add_get("/repos/{owner}/{name}/contents/{path:.+}", _contents)
    app.router.add_get("/repos/{owner}/{name}/commits/{commit}", _commit)
    app.router.add_get("/repos/{owner}/{name}/git/ref/{ref:.+}", _reference)
    app.router.add_get("/{owner}/{name}.git/info/refs", _advertise)
    app.router.add_post("/{owner}/{name}.git/git-upload-pack", _upload_pack)
    return app


async def _threads(app: web.Application) -> AsyncIterator[None]:
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="git") as app[_THREADS]:
        yield


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"message": message, "status": str(status)}, status=status)


def _repository(request: web.Request) -> Path | None:
    found = request.match_info
    return bare_path(request.app[_FOLDER], found["owner"], found["name"])


async def _read(request: web.Request, repository: Path, *words: str) -> tuple[int, bytes]:
    host = LocalTransport(environment=git.environment(request.app[_FOLDER]))
    asked = command(*git.arguments(repository, *words))
    done = await _in_a_thread(request, partial(host.run, asked, check=False))
    return done.exit_status, done.stdout


async def _in_a_thread(request: web.Request, run: Callable[[], Result]) -> Result:
    return await asyncio.get_running_loop().run_in_executor(request.app[_THREADS], run)


async def _contents(request: web.Request) -> web.Response:
    """`GET /repos/{owner}/{name}/contents/{path}?ref={sha}`: the file, raw or as GitHub's JSON."""
    repository, path = _repository(request), request.match_info["path"]
    commit = request.query.get("ref", "HEAD")
    if repository is None:
        return _error(404, "Not Found")
    if commit != "HEAD" and not _COMMIT.match(commit):
        return _error(404, f"No commit found for the ref {commit}")
    if "\0" in path:
        return _error(404, "Not Found")
    status, blob = await _read(request, repository, "cat-file", "blob", f"{commit}:{path}")
    if status:
        known, _ = await _read(request, repository, "cat-file", "-e", f"{commit}^{{commit}}")
        return _error(404, f"No commit found for the ref {commit}" if known else "Not Found")
    if _RAW in request.headers.get("Accept", "").replace(".v3.", "."):
        return web.Response(body=blob, content_type=_RAW)
    return web.json_response(
        {
            "type": "file",
            "path": path,
            "size": len(blob),
            "encoding": "base64",
            "content": base64.encodebytes(blob).decode(),
        }
    )


async def _commit(request: web.Request) -> web.Response:
    """`GET /repos/{owner}/{name}/commits/{sha}`."""
    repository, commit = _repository(request), request.match_info["commit"]
    if repository is None:
        return _error(404, "Not Found")
    if not _COMMIT.match(commit):
        return _error(422, f"No commit found for SHA: {commit}")
    form = "--format=%H%x00%an%x00%ae%x00%aI%x00%B"
    status, output = await _read(request, repository, "log", "-1", form, commit, "--")
    if status:
        return _error(422, f"No commit found for SHA: {commit}")
    sha, name, email, date, message = output.decode("utf-8", "replace").split("\0", 4)
    author = {"name": name, "email": email, "date": date}
    about: dict[str, Any] = {"author": author, "committer": author, "message": message.rstrip("\n")}
    return web.json_response({"sha": sha, "commit": about, "parents": []})


async def _reference(request: web.Request) -> web.Response:
    """`GET /repos/{owner}/{name}/git/ref/{ref}`: where a branch, a tag or a pull request points."""
    repository, ref = _repository(request), f"refs/{request.match_info['ref']}"
    if repository is None or "\0" in ref:
        return _error(404, "Not Found")
    form = "--format=%(refname) %(objecttype) %(objectname)"
    _, output = await _read(request, repository, "for-each-ref", form, ref)
    # Git takes the name for a pattern, and for a folder of refs; GitHub, for one ref.
    lines = [line.split(" ") for line in output.decode("utf-8", "replace").splitlines()]
    for name, kind, sha in lines:
        if name == ref:
            return web.json_response({"ref": ref, "object": {"type": kind, "sha": sha}})
    return _error(404, "Not Found")


async def _advertise(request: web.Request) -> web.StreamResponse:
    """Git's `info/refs`: only fetching is offered."""
    repository = _repository(request)
    if repository is None:
        return _error(404, "Not Found")
    if request.query.get("service") != "git-upload-pack":
        return _error(403, "this forge is only read from")
    answer = await _answer(request, "git-upload-pack-advertisement")
    await answer.write(b"001e# service=git-upload-pack\n0000")
    words = ("upload-pack", "--stateless-rpc", "--advertise-refs", ".")
    return await _stream(request, answer, repository, words, b"")


async def _upload_pack(request: web.Request) -> web.StreamResponse:
    """One round of a fetch."""
    repository = _repository(request)
    if repository is None:
        return _error(404, "Not Found")
    body = await request.read()  # aiohttp has undone its gzip
    answer = await _answer(request, "git-upload-pack-result")
    return await _stream(request, answer, repository, ("upload-pack", "--stateless-rpc", "."), body)


async def _answer(request: web.Request, kind: str) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Cache-Control": "no-cache"})
    answer.content_type = f"application/x-{kind}"
    await answer.prepare(request)
    return answer


async def _stream(
    request: web.Request,
    answer: web.StreamResponse,
    repository: Path,
    words: tuple[str, ...],
    body: bytes,
) -> web.StreamResponse:
    environment = git.environment(request.app[_FOLDER], **_protocol(request.headers))
    loop, gone = asyncio.get_running_loop(), threading.Event()

    def pass_on(chunk: Chunk) -> None:
        if chunk.stream == "stdout":
            asyncio.run_coroutine_threadsafe(answer.write(chunk.data), loop).result()

    fetching = partial(
        LocalTransport(environment=environment).run,
        command(*git.arguments(repository, *words)),
        stdin=body,
        on_output=pass_on,
        check=False,
        cancel=gone,
    )
    try:
        await _in_a_thread(request, fetching)
    finally:
        gone.set()  # where we are interrupted
    await answer.write_eof()
    return answer


def _protocol(headers: Mapping[str, str]) -> dict[str, str]:
    wanted = headers.get("Git-Protocol", "")
    return {"GIT_PROTOCOL": wanted} if _PROTOCOL.match(wanted) else {}
