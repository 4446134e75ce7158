"""A deployment in mid-world: for a while functions of the old release and of the new one start.

A machine keeps the release that it began with, however long it is paused. Each writes the schema
version that the code itself defines: the new release `ITEM_VERSION`, the old one the version before.
"""

from random import Random

from chalicelib.queue.dynamodb_versions import ITEM_VERSION
from chalicelib.simulation.engine import Engine

__all__ = ["NEW", "OLD", "Deployment"]

NEW = ITEM_VERSION
OLD = ITEM_VERSION - 1


class Deployment:
    """Says which release a machine has that starts now."""

    def __init__(self, engine: Engine, random: Random, *, begin_ms: int, end_ms: int) -> None:
        """Deploy between these times: before all are old, after it all are new."""
        self._engine = engine
        self._random = random
        self._begin_ms = begin_ms
        self._end_ms = end_ms

    def drawn(self) -> int:
        """Return the schema version that the machine's code writes."""
        now_ms = self._engine.now_ms
        if now_ms >= self._end_ms:
            return NEW
        return OLD if now_ms < self._begin_ms else self._random.choice((OLD, NEW))

    def finish(self) -> None:
        """Let only the new release start from now on."""
        self._end_ms = min(self._end_ms, self._engine.now_ms)
