"""A table that can be disturbed: answers lost, calls refused, other actors in between."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from pynamodb.connection import Connection

from chalicelib.clock import ManualClock
from chalicelib.queue.dynamodb_table import DynamoTable
from tests.wait.script import Share

Fault = Callable[[Callable[..., Mapping[str, Any]]], Mapping[str, Any]]
"""Takes the real call; makes it, perhaps with fields changed, or not, and answers or raises."""


@dataclass(slots=True)
class Disturbance:
    """What happens to the next calls of each operation, in order; then nothing does."""

    faults: dict[str, list[Fault]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    units: list[tuple[str, float]] = field(default_factory=list)
    clock: ManualClock = field(default_factory=ManualClock)

    def on(self, operation: str, *faults: Fault) -> None:
        """Let these faults happen to the next calls of the operation."""
        self.faults[operation] = list(faults)


class DisturbedConnection(Connection):
    """pynamodb's connection with faults between it and the service."""

    disturbance: Disturbance

    def dispatch(self, operation_name: str, operation_kwargs: dict[str, Any]) -> dict[str, Any]:
        """Make the call, as far as the next fault lets it."""
        self.disturbance.calls.append(operation_name)
        waiting = self.disturbance.faults.get(operation_name)
        call = super().dispatch
        if waiting:
            fault = waiting.pop(0)
            return dict(fault(lambda **fields: call(operation_name, operation_kwargs | fields)))
        return call(operation_name, operation_kwargs)


@pytest.fixture
def disturbance() -> Disturbance:
    """What is to happen to the calls of `table`."""
    return Disturbance()


@pytest.fixture
def table(data_table: str, disturbance: Disturbance) -> DynamoTable:
    """An empty table behind the disturbance, whose waits take no time."""
    made = DynamoTable(
        data_table,
        clock=disturbance.clock,
        random=Share(1),
        on_write_units=lambda verb, units: disturbance.units.append((verb, units)),
    )
    made._connection.__class__ = DisturbedConnection
    made._connection.__dict__["disturbance"] = disturbance
    return made
