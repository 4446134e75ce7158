"""The stable URL of the local stack: a front door on 127.0.0.1 before the emulator's API.

`API Gateway` addresses the API by an id that changes with each new stack; the front door reads the
id of the newest deployment and passes requests on. It has the platform's limit on bodies, and says
in a sentence when the emulator is away, so that supervisors wait and try again.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

__all__ = ["MAX_BODY_BYTES", "Route", "front_door", "read_route", "write_route"]

MAX_BODY_BYTES = 6 * 1024 * 1024
"""Lambda's limit on a request: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>."""

_ANSWER_LIMIT_S = 35  # API Gateway gives a function 29
_HOP_BY_HOP = {
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where the newest deployment is: the emulator's URL, the API's id and stage."""

    emulator: str
    api: str
    stage: str

    @property
    def prefix(self) -> str:
        """What a path is put behind."""
        return f"{self.emulator}/_aws/execute-api/{self.api}/{self.stage}"


def write_route(path: Path, route: Route) -> None:
    """Tell the front door of a deployment; it takes effect at its next request."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(route)))
    part.rename(path)


def read_route(path: Path) -> Route | None:
    """Return the newest deployment; None when there was none."""
    try:
        return Route(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


class _FrontDoor:
    def __init__(self, route: Path) -> None:
        self._path = route
        self._route: Route | None = None
        self._seen = 0
        self._session: aiohttp.ClientSession | None = None

    async def session(self, _app: web.Application) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=_ANSWER_LIMIT_S)
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
        async with aiohttp.ClientSession(
            timeout=timeout,
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session:
            self._session = session
            yield

    def _current(self) -> Route | None:
        try:
            changed = self._path.stat().st_mtime_ns
        except OSError:
            return None
        if changed != self._seen:
            self._route, self._seen = read_route(self._path), changed
        return self._route

    async def serve(self, request: web.Request) -> web.StreamResponse:
        route = self._current()
        if route is None:
            return _sentence(503, "nothing is deployed yet; ./berth up does that")
        too_large = _sentence(413, "the request is larger than 6 MB")
        if (request.content_length or 0) > MAX_BODY_BYTES:
            return too_large
        try:
            return await self._pass_on(request, route, await request.read())
        except web.HTTPRequestEntityTooLarge:  # its length was not said
            return too_large
        except (TimeoutError, aiohttp.ClientError) as error:
            return _gateway_error(error)

    async def _pass_on(self, request: web.Request, route: Route, body: bytes) -> web.Response:
        if self._session is None:
            return _sentence(503, "the front door is starting")
        url = URL(route.prefix + request.raw_path, encoded=True)
        async with self._session.request(
            request.method,
            url,
            headers=_forwarded(request),
            data=body or None,
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        ) as answer:
            headers = _end_to_end(answer.headers)
            return web.Response(status=answer.status, headers=headers, body=await answer.read())


def _gateway_error(error: Exception) -> web.Response:
    match error:
        case aiohttp.ClientConnectorError():
            return _sentence(503, "the local AWS is away; ./berth up starts it")
        case TimeoutError():
            return _sentence(504, "the function did not answer in time")
        case _:
            return _sentence(502, "the local AWS broke off its answer")


def _end_to_end(headers: Mapping[str, str]) -> CIMultiDict[str]:
    kept = ((name, value) for name, value in headers.items() if name.lower() not in _HOP_BY_HOP)
    return CIMultiDict(kept)


def _forwarded(request: web.Request) -> CIMultiDict[str]:
    headers = _end_to_end(request.headers)
    headers["X-Forwarded-For"] = request.remote or "127.0.0.1"
    headers["X-Forwarded-Proto"] = "http"
    headers["X-Forwarded-Host"] = request.host
    return headers


def _sentence(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)


def front_door(route: Path) -> web.Application:
    """Return the application that passes every request on to the deployment named in that file."""
    door = _FrontDoor(route)
    app = web.Application(client_max_size=MAX_BODY_BYTES + 1)
    app.cleanup_ctx.append(door.session)
    app.router.add_route("*", "/{path:.*}", door.serve)
    return app
