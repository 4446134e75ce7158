"""What every `Github` driver does: REST against a real server on loopback, and the fake."""

import json
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from chalicelib.errors import PayloadError, RepositoryNotFoundError
from chalicelib.github import Github
from chalicelib.github.memory import MemoryGithub
from chalicelib.github.rest import RestGithub
from chalicelib.model import Source

SOURCE = Source(
    repository="octo/boat",
    repository_id="1",
    clone_url="https://github.test/octo/boat.git",
    sha="a" * 40,
    ref="refs/heads/main",
)
FILES = {
    ("octo/boat", "a" * 40, ".circleci/config.yml"): b"version: 2.1\n",
    ("octo/boat", "a" * 40, "a folder/ü?#.bin"): bytes(range(256)) * 1000,
    ("octo/boat", "a" * 40, "empty"): b"",
}
BARE_COMMIT = ("octo/boat", "b" * 40)
HEADS = {
    ("octo/boat", "heads/main"): "a" * 40,
    ("octo/boat", "heads/wip/ü#1"): "b" * 40,
    ("octo/boat", "pull/7/head"): "c" * 40,
}


class GithubLike(BaseHTTPRequestHandler):
    """Answers the three calls as GitHub does; see the pages that `rest.py` names."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body go out apart, and the body would wait 40 ms
    commits: ClassVar[set[tuple[str, str]]] = {key[:2] for key in FILES} | {BARE_COMMIT}

    def do_GET(self) -> None:
        """Answer by the path alone."""
        url = urlsplit(self.path)
        _, _, owner, name, kind, rest = url.path.split("/", 5)
        repository, path = f"{owner}/{name}", unquote(rest)
        if kind == "contents":
            (sha,) = parse_qs(url.query)["ref"]
            content = FILES.get((repository, sha, path))
            self.answer(200 if content is not None else 404, content or b"")
        elif kind == "git":
            head = HEADS.get((repository, path.removeprefix("ref/")))
            reference = json.dumps({"object": {"type": "commit", "sha": head}}).encode()
            self.answer(200 if head else 404, reference)
        elif repository not in {known for known, _ in self.commits}:
            self.answer(404, b"{}")
        else:
            self.answer(200 if (repository, path) in self.commits else 422, b"{}")

    def answer(self, status: int, body: bytes) -> None:
        """Send a whole answer, whose length tells the client where it ends."""
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.github.raw+json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Print nothing."""


@pytest.fixture
def rest_github() -> Iterator[Github]:
    with ThreadingHTTPServer(("127.0.0.1", 0), GithubLike) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield RestGithub(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


@pytest.fixture
def memory_github() -> Github:
    fake = MemoryGithub(FILES, commits=[BARE_COMMIT])
    for (repository, ref), sha in HEADS.items():
        fake.put_head(repository, f"refs/{ref}".removesuffix("/head"), sha)
    return fake


@pytest.fixture(params=["rest_github", "memory_github"])
def github(request: pytest.FixtureRequest) -> Github:
    driver: Github = request.getfixturevalue(request.param)
    return driver


@pytest.mark.parametrize("path", sorted(path for _, _, path in FILES))
def test_a_file_is_read_byte_for_byte(github: Github, path: str) -> None:
    assert github.read_file(SOURCE, path) == FILES["octo/boat", SOURCE.sha, path]


def test_a_file_that_the_commit_lacks_is_none(github: Github) -> None:
    assert github.read_file(SOURCE, ".berth/config.yml") is None
    assert github.read_file(replace(SOURCE, sha="b" * 40), ".circleci/config.yml") is None


def test_a_repository_that_is_missing_is_named(github: Github) -> None:
    with pytest.raises(RepositoryNotFoundError, match="no repository octo/ghost"):
        github.read_file(replace(SOURCE, repository="octo/ghost"), ".circleci/config.yml")


def test_a_commit_that_is_missing_is_named(github: Github) -> None:
    with pytest.raises(RepositoryNotFoundError, match="octo/boat has no commit cccc"):
        github.read_file(replace(SOURCE, sha="c" * 40), ".circleci/config.yml")


@pytest.mark.parametrize(
    ("ref", "sha"),
    [
        ("refs/heads/main", "a" * 40),
        ("refs/heads/wip/ü#1", "b" * 40),
        ("refs/pull/7", "c" * 40),
    ],
)
def test_a_head_is_where_the_branch_or_the_pull_request_points(
    github: Github, ref: str, sha: str
) -> None:
    assert github.read_head(replace(SOURCE, sha="d" * 40, ref=ref)) == sha


@pytest.mark.parametrize("ref", ["refs/heads/mai", "refs/heads/wip", "refs/pull/8"])
def test_the_head_of_a_ref_that_is_gone_is_none(github: Github, ref: str) -> None:
    assert github.read_head(replace(SOURCE, ref=ref)) is None


def test_the_head_of_a_ref_of_a_missing_repository_is_none(github: Github) -> None:
    assert github.read_head(replace(SOURCE, repository="octo/ghost")) is None


def test_a_file_may_be_as_large_as_the_bound_and_no_larger(github: Github) -> None:
    path = ".circleci/config.yml"
    size = len(b"version: 2.1\n")

    assert github.read_file(SOURCE, path, max_bytes=size) is not None
    with pytest.raises(PayloadError) as caught:
        github.read_file(SOURCE, path, max_bytes=size - 1)

    assert caught.value.status == 413
