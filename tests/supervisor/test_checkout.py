import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.model import CheckoutStep, Outcome, RunStep
from tests.supervisor.conftest import Rig
from tests.supervisor.git_server import GitServer


class Repository:
    """A repository on the server, with one commit on `main`."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self.url = url
        path.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.first = self.commit("one")

    def git(self, *arguments: str) -> str:
        """Run git in it; return what it said."""
        return subprocess.run(
            ["git", "-c", "user.name=N", "-c", "user.email=n@example.invalid", *arguments],
            cwd=self.path,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def commit(self, text: str) -> str:
        """Commit a file of that content; return the commit's id."""
        (self.path / "file").write_text(text)
        self.git("add", "file")
        self.git("commit", "--quiet", "--message", text)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    running = GitServer(tmp_path / "forge")
    yield running
    running.close()


@pytest.fixture
def repository(server: GitServer) -> Repository:
    return Repository(server.root / "o" / "r", f"{server.url}/o/r/.git")


def _source(repository: Repository, sha: str, ref: str = "refs/heads/main") -> dict[str, str]:
    return {"clone_url": repository.url, "repository": "o/r", "sha": sha, "ref": ref}


_LOOK = RunStep(
    name="look",
    command="cat file; echo; git rev-parse HEAD; git status --short --branch; "
    "git config remote.origin.url; git rev-parse origin/main || true",
)


def _again(rig: Rig) -> None:
    """Let the same surroundings take a second attempt."""
    rig.plane.chunks.clear()
    rig.lxd.alive = True
    if rig.lxd.cgroup is not None:
        rig.lxd.cgroup.mkdir()


def test_a_checkout_is_a_clone_at_the_commit(rig: Rig, repository: Repository) -> None:
    second = repository.commit("two")
    repository.commit("three")

    rig.run(CheckoutStep(), _LOOK, source=_source(repository, second))

    assert rig.output(0) == f"Cloning o/r at {second} into {rig.workspace}\n"
    expected = ["two", second, "## main...origin/main", repository.url, second]
    assert rig.output(1).splitlines() == expected


def test_a_pull_request_is_a_branch_of_its_name(rig: Rig, repository: Repository) -> None:
    repository.git("checkout", "--quiet", "-b", "topic")
    sha = repository.commit("proposed")
    repository.git("update-ref", "refs/pull/7/head", sha)

    rig.run(CheckoutStep(), _LOOK, source=_source(repository, sha, "refs/pull/7"))

    assert rig.output(1).splitlines()[:3] == ["proposed", sha, "## pull/7...origin/pull/7"]


def test_a_tag_is_checked_out_detached(rig: Rig, repository: Repository) -> None:
    repository.git("tag", "-a", "-m", "release", "v1")

    rig.run(CheckoutStep(), _LOOK, source=_source(repository, repository.first, "refs/tags/v1"))

    assert rig.output(1).splitlines()[:3] == ["one", repository.first, "## HEAD (no branch)"]


def test_a_commit_that_the_host_has_is_not_fetched_again(
    rig: Rig, repository: Repository, server: GitServer
) -> None:
    rig.run(CheckoutStep(), source=_source(repository, repository.first))
    _again(rig)
    fetched = server.requests

    rig.workspace.rename(rig.home / "before")
    rig.run(CheckoutStep(), _LOOK, source=_source(repository, repository.first))

    assert server.requests == fetched
    assert rig.output(1).splitlines()[1] == repository.first


def test_an_existing_clone_is_brought_to_the_commit(rig: Rig, repository: Repository) -> None:
    rig.run(CheckoutStep(), source=_source(repository, repository.first))
    _again(rig)
    (rig.workspace / "file").write_text("changed by somebody")
    second = repository.commit("two")

    rig.run(CheckoutStep(), _LOOK, source=_source(repository, second))

    expected = ["two", second, "## main", repository.url, second]
    assert [line.split("...")[0] for line in rig.output(1).splitlines()] == expected


def test_a_directory_with_other_content_is_refused(rig: Rig, repository: Repository) -> None:
    rig.run(
        RunStep(name="litter", command="touch litter"),
        CheckoutStep(),
        source=_source(repository, repository.first),
    )

    assert rig.plane.result is not None
    assert rig.plane.result.outcome is Outcome.FAILED
    assert "is not empty, and is not a git repository" in rig.plane.result.reason


def test_a_path_of_its_own_is_used(rig: Rig, repository: Repository) -> None:
    rig.run(CheckoutStep(path="deep/er"), source=_source(repository, repository.first))

    assert (rig.workspace / "deep" / "er" / "file").read_text() == "one"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sha": "1" * 40}, "cannot be fetched from"),
        ({"sha": "--upload-pack=touch"}, "is not a commit id"),
        ({"clone_url": "/etc"}, "cannot be fetched from"),
        ({"clone_url": "ext::touch owned"}, "cannot be fetched from"),
        ({"clone_url": "http://127.0.0.1:9/o/r.git"}, "cannot be fetched from"),
    ],
    ids=["no such commit", "option", "file", "helper", "no server"],
)
def test_a_commit_that_cannot_be_fetched_is_infrastructure(
    rig: Rig, repository: Repository, change: dict[str, str], said: str
) -> None:
    rig.run(CheckoutStep(), source=_source(repository, repository.first) | change)

    assert rig.plane.result is not None
    assert rig.plane.result.outcome is Outcome.INFRASTRUCTURE
    assert said in rig.plane.result.reason


def test_an_image_without_git_fails_in_words(rig: Rig, repository: Repository) -> None:
    rig.lxd.hidden.add("git")

    rig.run(CheckoutStep(), source=_source(repository, repository.first))

    assert rig.plane.result is not None
    assert rig.plane.result.outcome is Outcome.FAILED
    assert "git is not installed" in rig.plane.result.reason
