"""Logs, results and GitHub in the simulation: the verified fakes, reached through the boundary."""

from collections.abc import Sequence

from chalicelib.errors import GithubUnavailableError, StoreUnavailableError
from chalicelib.github.memory import MemoryGithub
from chalicelib.logs.memory import MemoryLogs
from chalicelib.model import OutputChunk, Result, Source, StepRecord
from chalicelib.simulation.boundary import Boundary

__all__ = ["SimulatedGithub", "SimulatedLogs"]


class SimulatedLogs(MemoryLogs):
    """`logs.protocol.LogStore`. Reads for pages are not simulated, and not wrapped."""

    def __init__(self, boundary: Boundary) -> None:
        super().__init__()
        self._boundary = boundary

    def append(
        self, job: str, fence: int, *, steps: Sequence[StepRecord], output: Sequence[OutputChunk]
    ) -> None:
        """See `LogStore.append`."""

        def apply() -> None:
            super(SimulatedLogs, self).append(job, fence, steps=steps, output=output)

        self._boundary.call("append", f"{job}-{fence}", apply, _no_answer)

    def put_result(self, job: str, fence: int, result: Result) -> Result:
        """See `LogStore.put_result`."""

        def apply() -> Result:
            stored = super(SimulatedLogs, self).put_result(job, fence, result)
            history = self._boundary.history
            history.results.setdefault((job, fence), stored.outcome.value)
            history.stored_ms.setdefault((job, fence), self._boundary.engine.now_ms)
            return stored

        told = f"{job}-{fence} {result.outcome.value}"
        return self._boundary.call("put_result", told, apply, _no_answer)

    def get_result(self, job: str, fence: int) -> Result | None:
        """See `LogStore.get_result`."""

        def apply() -> Result | None:
            return super(SimulatedLogs, self).get_result(job, fence)

        return self._boundary.call("get_result", f"{job}-{fence}", apply, _no_answer)

    def seal(self, job: str, fence: int) -> None:
        """See `LogStore.seal`."""

        def apply() -> None:
            super(SimulatedLogs, self).seal(job, fence)

        self._boundary.call("seal", f"{job}-{fence}", apply, _no_answer)


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


def _no_answer() -> Exception:
    return StoreUnavailableError(reason="the store of logs did not answer")


def _github_is_away() -> Exception:
    return GithubUnavailableError(reason="GitHub did not answer")
