"""The contract of the sequencer: asynchronous planners, executions of `run_job`, task tokens.

Executions are named `<job>-<fence>` and have canonical input, so that a repeated start is the same
execution (queue protocol T13).
"""

from collections.abc import Iterator
from typing import Protocol

__all__ = ["Sequencer", "execution_input"]


def execution_input(job: str, fence: int) -> str:
    """Return the canonical input of an execution; the same bytes for the same attempt, always.

    >>> execution_input("abcdefghijklmnop", 2)
    '{"fence":2,"job":"abcdefghijklmnop","version":1}'
    """
    return f'{{"fence":{fence},"job":"{job}","version":1}}'


class Sequencer(Protocol):
    """Starts and ends what runs outside this call. Raises `StoreUnavailableError` when AWS is away."""

    def plan(self, pipeline: str) -> None:
        """Invoke the planner of this pipeline and do not wait. May run more than once."""
        ...

    def start(self, job: str, fence: int) -> None:
        """Start the execution of this attempt; one that exists already is a success."""
        ...

    def stop(self, job: str, fence: int, *, reason: str) -> None:
        """End the execution of this attempt, if it still runs."""
        ...

    def open_executions(self) -> Iterator[tuple[str, int]]:
        """Yield (job, fence) of every execution that has not ended, in pages as they are asked for."""
        ...

    def heartbeat(self, task_token: str) -> bool:
        """Tell the waiting task that its attempt lives; False when nobody waits for it any more."""
        ...

    def succeed(self, task_token: str) -> bool:
        """End the waiting task well; False when nobody waits for it any more."""
        ...
