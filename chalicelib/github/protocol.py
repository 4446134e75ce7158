"""The contract of GitHub: what Berth reads from it.

`github/rest.py` speaks GitHub's REST API; locally the forge of `chalicelib/local` answers the same
calls. A GitHub App's tokens and the check runs come with a later issue.
"""

from typing import Protocol

from chalicelib.model import Source

__all__ = ["Github"]


class Github(Protocol):
    """Reads repositories."""

    def read_file(self, source: Source, path: str, *, max_bytes: int = 1 << 20) -> bytes | None:
        """Return the file at that commit, or None when the commit has no such file.

        Raises:
            RepositoryNotFoundError: there is no such repository, or no such commit in it.
            PayloadError: the file is larger than `max_bytes`.
            GithubUnavailableError: no answer, 5xx, or a rate limit.
        """
        ...

    def read_head(self, source: Source) -> str | None:
        """Return the commit that the source's branch or pull request points at now; None if gone.

        Raises:
            GithubUnavailableError: no answer, 5xx, or a rate limit.
        """
        ...
