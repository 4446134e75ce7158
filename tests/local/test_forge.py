"""The forge answers GitHub's calls and real git, and shows nothing outside its repositories."""

import gzip
import http.client
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chalicelib.clock import SteadyClock
from chalicelib.github.rest import RestGithub
from chalicelib.local.repositories import import_repository
from chalicelib.model import Source
from chalicelib.wait import wait_for

if TYPE_CHECKING:
    from tests.local.conftest import Doors

RunGit = Callable[..., str]
_RAW = {"Accept": "application/vnd.github.raw+json"}


def _get(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Send the path as it is: a client library would tidy the hostile ones."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    status, body = answer.status, answer.read()
    connection.close()
    return status, body


def test_a_file_comes_raw_at_its_commit(doors: "Doors", repository: Path) -> None:
    brought = import_repository(repository, doors.repositories)

    path = f"/repos/local/shop/contents/conf/a%20b.yml?ref={brought.sha}"
    answer = _get(doors.forge_port, path, _RAW)

    assert answer == (200, b"\xff\x00raw")


def test_a_file_comes_as_json_to_who_asks_for_no_other(doors: "Doors", repository: Path) -> None:
    import_repository(repository, doors.repositories)

    _, body = _get(doors.forge_port, "/repos/local/shop/contents/README")

    assert json.loads(body)["size"] == len("a shop\n")


def test_a_missing_file_and_a_missing_commit_are_told_apart(
    doors: "Doors", repository: Path
) -> None:
    brought = import_repository(repository, doors.repositories)

    no_file = _get(doors.forge_port, f"/repos/local/shop/contents/nope?ref={brought.sha}")
    no_commit = _get(doors.forge_port, f"/repos/local/shop/contents/README?ref={'0' * 40}")

    assert no_file[0] == no_commit[0] == 404
    assert json.loads(no_file[1])["message"] == "Not Found"
    assert "No commit found" in json.loads(no_commit[1])["message"]


def test_a_commit_is_described(doors: "Doors", repository: Path) -> None:
    brought = import_repository(repository, doors.repositories)

    _, body = _get(doors.forge_port, f"/repos/local/shop/commits/{brought.sha}")

    assert json.loads(body)["commit"]["message"] == "Open the shop"


def test_the_head_of_a_branch_is_read_by_the_driver_of_github(
    doors: "Doors", repository: Path
) -> None:
    brought = import_repository(repository, doors.repositories)
    source = Source(
        repository=brought.repository,
        repository_id="1",
        clone_url="http://127.0.0.1/x.git",
        sha="0" * 40,
        ref=f"refs/heads/{brought.branch}",
    )

    head = RestGithub(doors.forge_url).read_head(source)

    assert head == brought.sha


@pytest.mark.parametrize("ref", ["heads", "heads/tr", "heads/*", "heads/trunk/x", "nope", "a%00b"])
def test_only_a_whole_ref_that_exists_is_found(doors: "Doors", repository: Path, ref: str) -> None:
    import_repository(repository, doors.repositories)

    status, body = _get(doors.forge_port, f"/repos/local/shop/git/ref/{ref}")

    assert status == 404
    assert json.loads(body) == {"message": "Not Found", "status": "404"}


def test_git_clones_it(doors: "Doors", repository: Path, tmp_path: Path, run_git: RunGit) -> None:
    brought = import_repository(repository, doors.repositories)

    run_git(tmp_path, "clone", "--quiet", f"{doors.forge_url}/local/shop.git", "clone")

    assert run_git(tmp_path / "clone", "rev-parse", "HEAD") == brought.sha


def test_git_fetches_a_commit_that_no_branch_holds(
    doors: "Doors", repository: Path, tmp_path: Path, run_git: RunGit
) -> None:
    old = import_repository(repository, doors.repositories)
    run_git(repository, "commit", "--quiet", "--amend", "-m", "Rewritten")
    import_repository(repository, doors.repositories)

    run_git(tmp_path, "init", "--quiet", "work")
    remote = f"{doors.forge_url}/local/shop.git"
    run_git(tmp_path / "work", "fetch", "--quiet", "--depth", "1", remote, old.sha)

    assert run_git(tmp_path / "work", "rev-parse", "FETCH_HEAD") == old.sha


def test_a_compressed_request_is_understood(doors: "Doors", repository: Path) -> None:
    brought = import_repository(repository, doors.repositories)
    want = f"want {brought.sha} no-progress\n"
    lines = f"{len(want) + 4:04x}{want}00000009done\n".encode()

    connection = http.client.HTTPConnection("127.0.0.1", doors.forge_port, timeout=10)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/x-git-upload-pack-request"}
    path = "/local/shop.git/git-upload-pack"
    connection.request("POST", path, body=gzip.compress(lines), headers=headers)
    answer = connection.getresponse().read()
    connection.close()

    assert b"PACK" in answer


def test_git_ends_when_its_client_goes_away(
    doors: "Doors", repository: Path, run_git: RunGit
) -> None:
    (repository / "large").write_bytes(os.urandom(24 << 20))
    run_git(repository, "add", ".")
    run_git(repository, "commit", "--quiet", "-m", "Fill the shop")
    brought = import_repository(repository, doors.repositories)
    want = f"want {brought.sha} no-progress\n"
    connection = http.client.HTTPConnection("127.0.0.1", doors.forge_port, timeout=10)

    connection.request(
        "POST",
        "/local/shop.git/git-upload-pack",
        body=f"{len(want) + 4:04x}{want}00000009done\n".encode(),
        headers={"Content-Type": "application/x-git-upload-pack-request"},
    )
    begun = connection.getresponse().read(1000)
    running = _gits(doors.repositories)
    connection.close()

    assert begun
    assert running
    wait_for(
        lambda: not _gits(doors.repositories),
        sleep=timedelta(milliseconds=50),
        timeout=timedelta(seconds=20),
        clock=SteadyClock(),
    )


def test_more_clients_than_are_served_at_once_all_get_what_they_want(
    doors: "Doors", repository: Path
) -> None:
    brought = import_repository(repository, doors.repositories)
    path = f"/repos/local/shop/commits/{brought.sha}"

    with ThreadPoolExecutor(100) as clients:
        answers = list(clients.map(lambda _: _get(doors.forge_port, path)[0], range(100)))

    assert set(answers) == {200}


def _gits(repositories: Path) -> list[str]:
    """The command lines of gits at work there."""
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            lines.append((process / "cmdline").read_bytes().decode("utf-8", "replace"))
    return [each for each in lines if each.startswith("git\0") and str(repositories) in each]


def test_nobody_pushes(doors: "Doors", repository: Path) -> None:
    import_repository(repository, doors.repositories)

    path = "/local/shop.git/info/refs?service=git-receive-pack"

    assert _get(doors.forge_port, path)[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/repos/local/shop/contents/../../../../etc/passwd",
        "/repos/local/shop/contents/%2e%2e/%2e%2e/%2e%2e/config",
        "/repos/local/shop/contents//etc/passwd",
        "/repos/local/shop/contents/README?ref=--output=/tmp/x",
        "/repos/local/shop/contents/README?ref=HEAD:",
        "/repos/local/shop/contents/a%00b",
        "/repos/local/..%2f..%2fsecret/contents/README",
        "/repos/..%2flocal/shop/contents/README",
        "/repos/local/.git/contents/README",
        "/repos/local/..%2f..%2fsecret/git/ref/heads/main",
        "/repos/local/shop/git/ref/--format=x",
        "/repos/local/shop/git/ref/../../HEAD",
        "/repos/local/shop.git/contents/config",
        "/repos/local/%2d%2dhelp/contents/README",
        "/..%2flocal/shop.git/info/refs?service=git-upload-pack",
        "/local/..%2fshop.git/info/refs?service=git-upload-pack",
        "/local/shop.git/config",
        "/local/shop.git/objects/info/packs",
    ],
)
def test_nothing_outside_is_shown(doors: "Doors", repository: Path, path: str) -> None:
    import_repository(repository, doors.repositories)

    assert _get(doors.forge_port, path)[0] == 404
