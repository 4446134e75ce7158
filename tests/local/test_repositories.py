"""Importing brings what was committed, leaves the source alone, and repeats without harm."""

from collections.abc import Callable
from pathlib import Path

import pytest

from chalicelib.errors import LocalStackError
from chalicelib.local.repositories import OWNER, bare_path, import_repository

RunGit = Callable[..., str]


def _snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_committed_head_is_brought(repository: Path, tmp_path: Path, run_git: RunGit) -> None:
    brought = import_repository(repository, tmp_path / "forge")

    assert brought.repository == "local/shop"
    assert brought.sha == run_git(repository, "rev-parse", "HEAD")
    assert (brought.branch, brought.title, brought.author) == ("trunk", "Open the shop", "dev")
    assert not brought.dirty


def test_the_source_is_not_touched(repository: Path, tmp_path: Path) -> None:
    (repository / "README").touch()  # its index entry is stale: a plain `status` would rewrite it
    before = _snapshot(repository)

    import_repository(repository, tmp_path / "forge")

    assert _snapshot(repository) == before


@pytest.mark.parametrize("change", ["README", "new file"], ids=["changed", "untracked"])
def test_a_dirty_tree_is_said(repository: Path, tmp_path: Path, change: str) -> None:
    (repository / change).write_text("not committed\n")

    assert import_repository(repository, tmp_path / "forge").dirty


def test_a_rewritten_branch_is_followed_and_its_old_commit_kept(
    repository: Path, tmp_path: Path, run_git: RunGit
) -> None:
    first = import_repository(repository, tmp_path / "forge")
    run_git(repository, "commit", "--quiet", "--amend", "-m", "Open the shop again")

    second = import_repository(repository, tmp_path / "forge")

    bare = bare_path(tmp_path / "forge", OWNER, "shop")
    assert second.title == "Open the shop again"
    assert second.repository_id == first.repository_id
    assert bare
    assert run_git(bare, "cat-file", "-t", first.sha) == "commit"


def test_a_detached_head_is_brought(repository: Path, tmp_path: Path, run_git: RunGit) -> None:
    run_git(repository, "checkout", "--quiet", "--detach")

    assert import_repository(repository, tmp_path / "forge").branch == "detached"


def test_a_bare_repository_is_brought(repository: Path, tmp_path: Path, run_git: RunGit) -> None:
    run_git(tmp_path, "clone", "--quiet", "--bare", str(repository), "mirror.git")

    brought = import_repository(tmp_path / "mirror.git", tmp_path / "forge")

    assert brought.sha == run_git(repository, "rev-parse", "HEAD")
    assert not brought.dirty


def test_a_shallow_clone_is_brought(repository: Path, tmp_path: Path, run_git: RunGit) -> None:
    run_git(repository, "commit", "--quiet", "--allow-empty", "-m", "Sell")
    run_git(tmp_path, "clone", "--quiet", "--depth", "1", repository.as_uri(), "shallow")

    assert import_repository(tmp_path / "shallow", tmp_path / "forge").title == "Sell"


def test_a_plain_folder_is_one_commit_of_its_content(tmp_path: Path) -> None:
    one, two = tmp_path / "a/things", tmp_path / "b/things"
    for folder in (one, two):
        folder.mkdir(parents=True)
        (folder / "file").write_text("same\n")

    brought = [import_repository(folder, tmp_path / "forge") for folder in (one, two, one)]

    assert len({each.sha for each in brought}) == 1
    assert len({each.repository for each in brought}) == 2
    assert not (one / ".git").exists()


def test_a_folder_inside_a_repository_is_built_by_itself(repository: Path, tmp_path: Path) -> None:
    brought = import_repository(repository / "conf", tmp_path / "forge")

    assert (brought.repository, brought.title) == ("local/conf", "The folder conf")


def test_a_repository_without_a_commit_is_told(tmp_path: Path, run_git: RunGit) -> None:
    run_git(tmp_path, "init", "--quiet", "empty")

    with pytest.raises(LocalStackError, match="no commit yet"):
        import_repository(tmp_path / "empty", tmp_path / "forge")


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(LocalStackError, match="there is no folder"):
        import_repository(tmp_path / "nowhere", tmp_path / "forge")


def test_hooks_and_monitors_of_the_source_do_not_run(
    repository: Path, tmp_path: Path, run_git: RunGit
) -> None:
    trap, sprung = tmp_path / "trap.py", tmp_path / "sprung"
    trap.write_text(f"#!/usr/bin/env python3\nopen({str(sprung)!r}, 'w')\n")
    trap.chmod(0o755)
    run_git(repository, "config", "core.fsmonitor", str(trap))
    run_git(repository, "config", "uploadpack.packObjectsHook", str(trap))

    import_repository(repository, tmp_path / "forge")

    assert not sprung.exists()


def test_a_machine_without_git_is_told_so(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))

    with pytest.raises(LocalStackError) as caught:
        import_repository(repository, tmp_path / "forge")

    assert "there is no git" in caught.value.reason
