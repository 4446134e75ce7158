"""GitHub in the simulation: the verified fake, reached through the boundary."""

from chalicelib.errors import GithubUnavailableError
from chalicelib.github.memory import MemoryGithub
from chalicelib.model import Source
from chalicelib.simulation.boundary import Boundary

__all__ = ["SimulatedGithub"]


class SimulatedGithub(MemoryGithub):
    """`github.protocol.Github`. `away` is an outage of GitHub."""

    def __init__(self, boundary: Boundary) -> None:
        super().__init__()
        self._boundary = boundary
        self.away = False

    def read_file(self, source: Source, path: str, *, max_bytes: int = 1 << 20) -> bytes | None:
        """See `Github.read_file`."""

        def apply() -> bytes | None:
            if self.away:
                raise _github_is_away()
            return super(SimulatedGithub, self).read_file(source, path, max_bytes=max_bytes)

        return self._boundary.call("read_file", path, apply, _github_is_away)

    def read_head(self, source: Source) -> str | None:
        """See `Github.read_head`."""

        def apply() -> str | None:
            if self.away:
                raise _github_is_away()
            return super(SimulatedGithub, self).read_head(source)

        return self._boundary.call("read_head", source.ref, apply, _github_is_away)


def _github_is_away() -> Exception:
    return GithubUnavailableError(reason="GitHub did not answer")
