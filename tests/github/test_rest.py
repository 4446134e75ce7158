"""The REST driver against a GitHub that misbehaves: a real server on loopback, one script each."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from chalicelib.clock import ManualClock
from chalicelib.errors import (
    GithubUnavailableError,
    PayloadError,
    RepositoryNotFoundError,
    SettingError,
)
from chalicelib.github.rest import RestGithub
from chalicelib.local.ports import free_port
from chalicelib.model import Source

SOURCE = Source(
    repository="octo/boat",
    repository_id="1",
    clone_url="https://github.test/octo/boat.git",
    sha="a" * 40,
    ref="refs/heads/main",
)
PATH = ".circleci/config.yml"
CONTENTS = f"/repos/octo/boat/contents/{PATH}?ref={SOURCE.sha}"
COMMIT = f"/repos/octo/boat/commits/{SOURCE.sha}"

Script = Callable[[BaseHTTPRequestHandler], object]
Serve = Callable[[Script], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that answers every request by a script; gives its address."""
    with ExitStack() as servers:

        def start(script: Script) -> str:
            class Handler(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    script(self)

                def log_message(self, *_args: object) -> None:
                    """Print nothing."""

            server = servers.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
            servers.callback(server.shutdown)
            Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
            return f"http://127.0.0.1:{server.server_port}"

        yield start


def answer(
    request: BaseHTTPRequestHandler, status: int, body: bytes = b"", /, **headers: str
) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


def test_the_calls_are_githubs_two(serve: Serve) -> None:
    seen: list[tuple[str, str | None, str | None]] = []

    def script(request: BaseHTTPRequestHandler) -> None:
        seen.append((request.path, request.headers["Accept"], request.headers["Authorization"]))
        answer(request, 404 if "contents" in request.path else 200)

    found = RestGithub(serve(script) + "/", token="ghs_1").read_file(SOURCE, PATH)  # noqa: S106 made up

    assert found is None
    raw = "application/vnd.github.raw+json"
    assert seen == [(CONTENTS, raw, "Bearer ghs_1"), (COMMIT, raw, "Bearer ghs_1")]


def test_the_api_may_live_below_a_path(serve: Serve) -> None:
    seen: list[str] = []

    def script(request: BaseHTTPRequestHandler) -> None:
        seen.append(request.path)
        answer(request, 200, b"ok")

    RestGithub(serve(script) + "/api/v3").read_file(SOURCE, PATH)

    assert seen == ["/api/v3" + CONTENTS]


@pytest.mark.parametrize("status", [401, 403, 418, 429, 500, 502, 503])
def test_a_refusal_can_be_retried_and_names_the_status(serve: Serve, status: int) -> None:
    github = RestGithub(serve(lambda request: answer(request, status)))

    with pytest.raises(GithubUnavailableError, match=str(status)):
        github.read_file(SOURCE, PATH)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, RepositoryNotFoundError),
        (409, RepositoryNotFoundError),
        (422, RepositoryNotFoundError),
        (451, RepositoryNotFoundError),
        (500, GithubUnavailableError),
    ],
)
def test_the_commit_tells_what_a_missing_file_means(
    serve: Serve, status: int, error: type[Exception]
) -> None:
    github = RestGithub(
        serve(lambda request: answer(request, 404 if "contents" in request.path else status))
    )

    with pytest.raises(error):
        github.read_file(SOURCE, PATH)


def test_a_directory_of_that_name_is_no_file(serve: Serve) -> None:
    github = RestGithub(
        serve(lambda request: answer(request, 200, b"[]", Content_Type="application/json"))
    )

    assert github.read_file(SOURCE, PATH) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 60_000,
        b'{"object": "a"}',
        b'{"object": {"sha": 7}}',
        b'{"object": {"sha": "main"}}',
        b'{"object": {"sha": "' + b"A" * 40 + b'"}}',
        b" " * (1 << 17),
    ],
    ids=range(10),
)
def test_an_answer_that_is_no_reference_can_be_retried(serve: Serve, body: bytes) -> None:
    github = RestGithub(serve(lambda request: answer(request, 200, body)))

    with pytest.raises(GithubUnavailableError, match="reference"):
        github.read_head(SOURCE)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_head_that_is_refused_is_not_taken_for_one_that_is_gone(
    serve: Serve, status: int
) -> None:
    github = RestGithub(serve(lambda request: answer(request, status)))

    with pytest.raises(GithubUnavailableError, match=str(status)):
        github.read_head(SOURCE)


def test_a_server_that_never_answers_is_given_up(serve: Serve) -> None:
    over = Event()
    github = RestGithub(serve(lambda _request: over.wait(10)), timeout_s=0.2)

    with pytest.raises(GithubUnavailableError, match="timed out"):
        github.read_file(SOURCE, PATH)
    over.set()


def test_a_server_that_drips_is_given_up(serve: Serve) -> None:
    """Each read is in time; without a limit on the whole it would go on for a day."""
    clock = ManualClock()

    def script(request: BaseHTTPRequestHandler) -> None:
        answer(request, 200)
        with suppress(OSError):
            while True:
                clock.advance(timedelta(seconds=1))
                request.wfile.write(b"x")

    with pytest.raises(GithubUnavailableError, match="too slowly"):
        RestGithub(serve(script), timeout_s=60, clock=clock).read_file(SOURCE, PATH)


def test_nobody_listening_can_be_retried() -> None:
    with pytest.raises(GithubUnavailableError, match="did not answer"):
        RestGithub(f"http://127.0.0.1:{free_port()}").read_file(SOURCE, PATH)


@pytest.mark.parametrize("length", [None, str(1 << 40)], ids=["unsaid", "declared"])
def test_a_huge_body_is_not_read_to_its_end(serve: Serve, length: str | None) -> None:
    hung_up = Event()

    def script(request: BaseHTTPRequestHandler) -> None:
        answer(request, 200, **({"Content_Length": length} if length else {}))
        try:
            for _ in range(10_000):
                request.wfile.write(b"x" * 65_536)
        except OSError:
            hung_up.set()

    with pytest.raises(PayloadError) as caught:
        RestGithub(serve(script)).read_file(SOURCE, PATH, max_bytes=100_000)

    assert caught.value.status == 413
    assert hung_up.wait(10)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content_Length": "100"}, b"version: 2.1\n"),
        ({"Transfer_Encoding": "chunked"}, b"5\r\nversi\r\n"),
        ({"Transfer_Encoding": "chunked"}, b"nonsense\r\n"),
    ],
    ids=["length", "chunk", "nonsense"],
)
def test_a_body_that_is_cut_short_is_not_taken_for_the_file(
    serve: Serve, headers: dict[str, str], body: bytes
) -> None:
    github = RestGithub(serve(lambda request: answer(request, 200, body, **headers)))

    with pytest.raises(GithubUnavailableError):
        github.read_file(SOURCE, PATH)


def test_a_server_that_does_not_speak_http_can_be_retried(serve: Serve) -> None:
    github = RestGithub(serve(lambda request: request.wfile.write(b"\x00\xff\r\n")))

    with pytest.raises(GithubUnavailableError):
        github.read_file(SOURCE, PATH)


def test_a_renamed_repository_is_followed_on_the_same_host(serve: Serve) -> None:
    def script(request: BaseHTTPRequestHandler) -> None:
        if request.path.startswith("/repositories/1/"):
            answer(request, 200, b"version: 2.1\n")
        else:
            answer(request, 301, Location=f"/repositories/1/contents/{PATH}")

    assert RestGithub(serve(script)).read_file(SOURCE, PATH) == b"version: 2.1\n"


def test_no_redirect_leaves_the_host_with_the_token(serve: Serve) -> None:
    reached: list[str] = []
    other = serve(lambda request: reached.append(request.path))
    github = RestGithub(serve(lambda request: answer(request, 302, Location=f"{other}/steal")))

    with pytest.raises(GithubUnavailableError, match="another host"):
        github.read_file(SOURCE, PATH)

    assert reached == []


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "http://[", "//evil.test/", "/caf\xe9", "/"]
)
def test_a_redirect_to_nowhere_or_for_ever_can_be_retried(serve: Serve, location: str) -> None:
    github = RestGithub(serve(lambda request: answer(request, 302, Location=location)))

    with pytest.raises(GithubUnavailableError):
        github.read_file(SOURCE, PATH)


@pytest.mark.parametrize(
    "api_url", ["", "api.github.com", "file:///etc", "http://", "http://h:x", "http://[", "ftp://h"]
)
def test_an_api_address_that_is_not_http_is_a_wrong_setting(api_url: str) -> None:
    with pytest.raises(SettingError, match="BERTH_GITHUB_API_URL"):
        RestGithub(api_url)
