"""GitHub in a dictionary: the verified fake, held to the same contract tests as `rest.py`."""

from collections.abc import Iterable, Mapping

from chalicelib.errors import PayloadError, RepositoryNotFoundError
from chalicelib.model import Source

__all__ = ["MemoryGithub"]


class MemoryGithub:
    """Holds the files of some commits.

    Args:
        files: content by (repository, sha, path); each names a commit that exists.
        commits: (repository, sha) of commits that exist without a file.
    """

    def __init__(
        self,
        files: Mapping[tuple[str, str, str], bytes] | None = None,
        commits: Iterable[tuple[str, str]] = (),
    ) -> None:
        self._files = dict(files or {})
        self._heads: dict[tuple[str, str], str | None] = {}
        self._commits = {(repository, sha) for repository, sha, _ in self._files} | set(commits)

    def put_head(self, repository: str, ref: str, sha: str | None) -> None:
        """Let a branch or pull request (`refs/heads/main`, `refs/pull/7`) point at a commit, or go."""
        self._heads[repository, ref] = sha

    def put_file(self, repository: str, sha: str, path: str, content: bytes) -> None:
        """Add a file, and its commit, or replace it."""
        self._files[repository, sha, path] = content
        self._commits.add((repository, sha))

    def read_file(self, source: Source, path: str, *, max_bytes: int = 1 << 20) -> bytes | None:
        """Return the file at that commit, or None; see `protocol.Github`."""
        if (source.repository, source.sha) not in self._commits:
            known = any(repository == source.repository for repository, _ in self._commits)
            raise RepositoryNotFoundError(
                reason=f"the repository {source.repository} has no commit {source.sha}"
                if known
                else f"GitHub knows no repository {source.repository}, or hides it from Berth"
            )
        content = self._files.get((source.repository, source.sha, path))
        if content is not None and len(content) > max_bytes:
            raise PayloadError(reason=f"the file is larger than {max_bytes} bytes", status=413)
        return content

    def read_head(self, source: Source) -> str | None:
        """Return where the source's ref points, or None; see `protocol.Github`."""
        return self._heads.get((source.repository, source.ref))
