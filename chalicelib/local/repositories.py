"""Brings local repositories and folders into the forge's bare repositories.

The source is only read: no lock, no refreshed index, no object is written to it. A folder that is
no repository becomes one commit whose id depends on its content alone.
"""

import fcntl
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chalicelib.errors import LocalStackError
from chalicelib.local import git

__all__ = ["OWNER", "ImportedRepository", "bare_path", "import_repository"]

OWNER = "local"
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
_MOMENT = "2000-01-01T00:00:00+00:00"
_AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Berth"), ("EMAIL", "berth@localhost"), ("DATE", _MOMENT))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRepository:
    """What a push of it would say.

    Attributes:
        repository: `owner/name` in the forge.
        repository_id: stable number for the source's path.
        sha: the commit.
        branch: its branch; `detached` when HEAD is on none.
        title: first line of the commit message.
        author: name of the commit's author.
        dirty: whether the work tree differs from the commit.
    """

    repository: str
    repository_id: int
    sha: str
    branch: str
    title: str
    author: str
    dirty: bool


def bare_path(repositories: Path, owner: str, name: str) -> Path | None:
    """Return the bare repository of that name; None when there is none or the name is no name."""
    if not (_NAME.match(owner) and _NAME.match(name)):
        return None
    path = repositories / owner / f"{name}.git"
    return path if (path / "HEAD").is_file() else None


def import_repository(path: Path, repositories: Path) -> ImportedRepository:
    """Bring the committed HEAD of the repository at `path`, or a plain folder, into the forge.

    A repeat brings what is new. Returns what a push of it would say.

    Raises:
        LocalStackError: there is no such folder, it has no commit, or git refuses it.
    """
    source = path.expanduser().resolve()
    if not source.is_dir():
        raise LocalStackError(reason=f"there is no folder {path}", cure="check the path")
    name = _name_of(source, repositories)
    bare = repositories / OWNER / f"{name}.git"
    with _held(repositories, name):
        _make_bare(bare, source, repositories)
        if _is_repository(source, repositories):
            branch, dirty = _fetch(source, bare, repositories)
        else:
            branch, dirty = _commit_folder(source, bare, repositories), False
        sha, author, title = _describe(bare, branch, repositories)
    return ImportedRepository(
        repository=f"{OWNER}/{name}",
        repository_id=int(_mark(source), 16) % 2**40,
        sha=sha,
        branch=branch,
        title=title,
        author=author,
        dirty=dirty,
    )


def _mark(source: Path) -> str:
    return hashlib.sha256(str(source).encode()).hexdigest()


def _name_of(source: Path, repositories: Path) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", source.name).strip("-.")[:80] or "folder"
    taken = repositories / OWNER / f"{plain}.git/berth-source"
    if taken.exists() and taken.read_text() != str(source):
        return f"{plain}-{_mark(source)[:8]}"
    return plain


@contextmanager
def _held(repositories: Path, name: str) -> Iterator[None]:
    folder = repositories / OWNER
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _git(repositories: Path, where: Path, *words: str, **more: str) -> str:
    env = git.environment(repositories, **more)
    done = git.run(git.arguments(where, *words), env=env)
    if done.exit_status:
        said = done.stderr.decode("utf-8", "replace").strip() or f"status {done.exit_status}"
        raise LocalStackError(
            reason=f"git {words[0]} failed in {where}: {said}",
            cure=f"see whether `git -C {where} status` works",
        )
    return done.stdout.decode("utf-8", "replace").strip()


def _is_repository(source: Path, repositories: Path) -> bool:
    """A folder inside a repository is not one: it is built by itself, as it lies there."""
    if not (source / ".git").exists() and not (source / "objects").is_dir():
        return False
    env = git.environment(repositories)
    bare = git.run(git.arguments(source, "rev-parse", "--is-bare-repository"), env=env)
    top = git.run(git.arguments(source, "rev-parse", "--show-toplevel"), env=env)
    if bare.stdout.strip() == b"true":
        return True
    return not top.exit_status and Path(top.stdout.decode().strip()).resolve() == source


def _make_bare(bare: Path, source: Path, repositories: Path) -> None:
    if not (bare / "HEAD").is_file():
        bare.mkdir(parents=True, exist_ok=True)
        _git(repositories, bare, "init", "--quiet", "--bare", ".")
    (bare / "berth-source").write_text(str(source))


def _fetch(source: Path, bare: Path, repositories: Path) -> tuple[str, bool]:
    env = git.environment(repositories)
    head = git.run(git.arguments(source, "rev-parse", "--verify", "--quiet", "HEAD"), env=env)
    if head.exit_status:
        raise LocalStackError(
            reason=f"{source} has no commit yet", cure="git add and git commit, then build"
        )
    on = git.run(git.arguments(source, "symbolic-ref", "--short", "--quiet", "HEAD"), env=env)
    branch = on.stdout.decode().strip() or "detached"
    # The branch of the bare repository may have been rewound in the source: the plus follows it.
    refs = f"+HEAD:refs/heads/{branch}"
    fetch = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--update-shallow")
    _git(repositories, bare, *fetch, source.as_uri(), refs)
    state = git.run(git.arguments(source, "status", "--porcelain"), env=env)
    return branch, bool(state.stdout.strip())


def _commit_folder(source: Path, bare: Path, repositories: Path) -> str:
    index = bare / "folder.index"
    index.unlink(missing_ok=True)
    here = {"GIT_DIR": str(bare), "GIT_WORK_TREE": str(source), "GIT_INDEX_FILE": str(index)}
    try:
        _git(repositories, source, "add", "--all", ".", **here)
        tree = _git(repositories, source, "write-tree", **here)
    finally:
        index.unlink(missing_ok=True)
    title = f"The folder {source.name}"
    commit = _git(repositories, bare, "commit-tree", tree, "-m", title, **_AUTHOR)
    _git(repositories, bare, "update-ref", "refs/heads/main", commit)
    return "main"


def _describe(bare: Path, branch: str, repositories: Path) -> tuple[str, str, str]:
    _git(repositories, bare, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
    form = "--format=%H%n%an%n%s"
    lines = _git(repositories, bare, "log", "-1", form, f"refs/heads/{branch}", "--").split("\n")
    sha, author, title = (*lines, "", "")[:3]
    return sha, author, title
