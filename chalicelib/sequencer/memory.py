"""A sequencer that remembers what it was told. A verified fake for tests of services."""

from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["MemorySequencer"]


@dataclass(slots=True)
class MemorySequencer:
    """Records planners, executions and tokens. `waiting` holds the tokens somebody waits for."""

    planned: list[str] = field(default_factory=list)
    running: set[tuple[str, int]] = field(default_factory=set)
    started: list[tuple[str, int]] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    heartbeats: list[str] = field(default_factory=list)

    def plan(self, pipeline: str) -> None:
        """See `Sequencer.plan`."""
        self.planned.append(pipeline)

    def start(self, job: str, fence: int) -> None:
        """See `Sequencer.start`."""
        if (job, fence) not in self.started:
            self.started.append((job, fence))
            self.running.add((job, fence))

    def stop(self, job: str, fence: int, *, reason: str) -> None:  # noqa: ARG002 - of the contract
        """See `Sequencer.stop`."""
        self.running.discard((job, fence))

    def open_executions(self) -> Iterator[tuple[str, int]]:
        """See `Sequencer.open_executions`."""
        yield from sorted(self.running)

    def heartbeat(self, task_token: str) -> bool:
        """See `Sequencer.heartbeat`."""
        self.heartbeats.append(task_token)
        return task_token in self.waiting

    def succeed(self, task_token: str) -> bool:
        """See `Sequencer.succeed`."""
        if task_token not in self.waiting:
            return False
        self.waiting.discard(task_token)
        return True
