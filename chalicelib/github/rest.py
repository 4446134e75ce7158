"""GitHub's REST API, as far as Berth reads it: three calls, over the standard library's client.

    GET {api}/repos/{owner}/{name}/contents/{path}?ref={sha}
    GET {api}/repos/{owner}/{name}/commits/{sha}
    GET {api}/repos/{owner}/{name}/git/ref/{ref}

`http.client` and not `urllib.request`, because it follows no redirect, reads no proxy from the
environment and opens no `file:` address unless told. One connection per call: a planner makes one
or two. References: <https://docs.github.com/en/rest/repos/contents>, `/en/rest/commits` and
`/en/rest/git/refs`.
"""

import http.client
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import quote, urljoin, urlsplit

from chalicelib.clock import Clock, SystemClock
from chalicelib.errors import (
    GithubUnavailableError,
    PayloadError,
    RepositoryNotFoundError,
    SettingError,
)
from chalicelib.model import Source

__all__ = ["RestGithub"]

_SETTING = "BERTH_GITHUB_API_URL"
_RAW = "application/vnd.github.raw+json"
_JSON = "application/json"
_API_VERSION = "2022-11-28"
_MAX_REDIRECTS = 3
_MAX_REF = 1 << 16
_READ_BYTES = 1 << 16
_MOVED = frozenset({301, 302, 307, 308})
_NO_REPOSITORY = frozenset({404, 451})  # 451: blocked for legal reasons
_NO_COMMIT = frozenset({409, 422})  # 409: the repository is empty
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """Status and headers of one answer; `body` only of a 200, and only when it was wanted."""

    status: int
    content_type: str
    location: str
    body: bytes


class RestGithub:
    """Reads repositories over GitHub's REST API, or a server that answers these calls alike.

    Args:
        api_url: with `http` or `https`, without a final slash; may have a path (`/api/v3`).
        token: an installation's token; None reads what is public.
        timeout_s: for the connection, for each read, and for a body in all.
        clock: measures the time for a body.

    Raises:
        SettingError: `api_url` is not an HTTP address.
    """

    def __init__(
        self,
        api_url: str,
        token: str | None = None,
        *,
        timeout_s: float = 10.0,
        clock: Clock | None = None,
    ) -> None:
        self._origin = _origin(api_url)
        self._api = api_url.rstrip("/")
        self._token = token
        self._timeout_s = timeout_s
        self._clock = clock or SystemClock()

    def read_file(self, source: Source, path: str, *, max_bytes: int = 1 << 20) -> bytes | None:
        """Return the file at that commit, or None; see `protocol.Github`. Safe to repeat."""
        url = f"{self._repository(source)}/contents/{quote(path)}?ref={quote(source.sha, safe='')}"
        answer = self._get(url, max_bytes=max_bytes)
        if answer.status == HTTPStatus.OK:
            # A directory or a submodule is answered as JSON, whatever is accepted; a file, even
            # one of JSON, as raw.
            return None if answer.content_type == _JSON else answer.body
        if answer.status not in _NO_REPOSITORY:
            raise _unavailable(answer.status)
        self._check_commit(source)
        return None

    def read_head(self, source: Source) -> str | None:
        """Return the commit that the source's ref points at, or None; see `protocol.Github`."""
        ref = source.ref.removeprefix("refs/")
        if ref.startswith("pull/"):
            ref += "/head"
        try:
            answer = self._get(
                f"{self._repository(source)}/git/ref/{quote(ref)}", max_bytes=_MAX_REF
            )
        except PayloadError as error:
            raise GithubUnavailableError(reason="GitHub's answer is no reference") from error
        if answer.status in _NO_REPOSITORY | _NO_COMMIT:
            return None
        if answer.status != HTTPStatus.OK:
            raise _unavailable(answer.status)
        return _head(answer.body)

    def _check_commit(self, source: Source) -> None:
        """Return if the commit is there: GitHub says 404 for a file, a commit and a repository."""
        url = f"{self._repository(source)}/commits/{quote(source.sha, safe='')}"
        status = self._get(url, max_bytes=None).status
        if status in _NO_REPOSITORY:
            reason = f"GitHub knows no repository {source.repository}, or hides it from Berth"
            raise RepositoryNotFoundError(reason=reason)
        if status in _NO_COMMIT:
            reason = f"the repository {source.repository} has no commit {source.sha}"
            raise RepositoryNotFoundError(reason=reason)
        if status != HTTPStatus.OK:
            raise _unavailable(status)

    def _repository(self, source: Source) -> str:
        return f"{self._api}/repos/{quote(source.repository)}"

    def _get(self, url: str, *, max_bytes: int | None) -> _Answer:
        """Return the answer after redirects, which GitHub gives for renamed repositories."""
        for _ in range(_MAX_REDIRECTS + 1):
            answer = self._get_once(url, max_bytes)
            if answer.status not in _MOVED:
                return answer
            url = self._redirected(url, answer.location)
        raise GithubUnavailableError(reason="GitHub redirects without end")

    def _redirected(self, url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
            parts = urlsplit(target)
        except ValueError as error:
            raise GithubUnavailableError(reason="GitHub redirects to no address") from error
        # The token goes along, so no redirect may leave the API's own host.
        if (parts.scheme, parts.netloc) != self._origin or not target.isascii():
            raise GithubUnavailableError(reason="GitHub redirects to another host")
        return target

    def _get_once(self, url: str, max_bytes: int | None) -> _Answer:
        deadline = self._clock.now() + timedelta(seconds=self._timeout_s)
        connection = self._connection()
        try:
            connection.request("GET", url[len("://".join(self._origin)) :], headers=self._headers())
            # Closing the connection alone would leave a socket that answers "Connection: close" open.
            with connection.getresponse() as response:
                wanted = max_bytes if response.status == HTTPStatus.OK else None
                return _Answer(
                    status=response.status,
                    content_type=response.headers.get_content_type(),
                    location=response.headers.get("Location", ""),
                    body=b"" if wanted is None else self._body(response, wanted, deadline),
                )
        except (OSError, http.client.HTTPException) as error:
            reason = f"GitHub did not answer: {str(error) or type(error).__name__}"
            raise GithubUnavailableError(reason=reason) from error
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        scheme, host = self._origin
        kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
        return kind(host, timeout=self._timeout_s)

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": _RAW, "User-Agent": "berth", "X-GitHub-Api-Version": _API_VERSION}
        return headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})

    def _body(self, response: http.client.HTTPResponse, most: int, deadline: datetime) -> bytes:
        parts: list[bytes] = []
        received = 0
        while received <= most and (part := response.read1(_READ_BYTES)):
            parts.append(part)
            received += len(part)
            if self._clock.now() > deadline:
                raise GithubUnavailableError(reason="GitHub sends too slowly")
        if received > most:
            raise PayloadError(reason=f"the file is larger than {most} bytes", status=413)
        if response.length:
            # `read1` takes a connection that closes early for the end.
            raise GithubUnavailableError(reason="GitHub's answer was cut short")
        return b"".join(parts)


def _head(body: bytes) -> str:
    """Return the commit id in a reference as GitHub answers it."""
    try:
        sha = json.loads(body)["object"]["sha"]
    # Deep nesting is a RecursionError, and a list or a number where an object should be the others.
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise GithubUnavailableError(reason="GitHub's answer is no reference") from error
    if not isinstance(sha, str) or not _SHA.fullmatch(sha):
        raise GithubUnavailableError(reason="GitHub's reference is to no commit")
    return sha


def _origin(api_url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(api_url)
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0:
            return parts.scheme, parts.netloc
    except ValueError as error:
        raise SettingError(name=_SETTING, reason="not an address") from error
    raise SettingError(name=_SETTING, reason="not an HTTP address")


def _unavailable(status: int) -> GithubUnavailableError:
    if status == HTTPStatus.UNAUTHORIZED:
        return GithubUnavailableError(reason="GitHub refused the token (401)")
    if status in {HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}:
        return GithubUnavailableError(reason=f"GitHub asks to slow down, or forbids it ({status})")
    return GithubUnavailableError(reason=f"GitHub answered {status}")
