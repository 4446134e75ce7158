"""A table that can be disturbed: answers lost, calls refused, other actors in between."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from pynamodb.connection import Connection

from chalicelib.clock import ManualClock
from chalicelib.queue.dynamodb_table import DynamoTable
from chalicelib.queue.memory import Answer, Apply, Interrupt, memory_table
from tests.wait.script import Share


@dataclass(slots=True)
class Disturbance:
    """What happens to the next calls of each operation, in order; then nothing does."""

    faults: dict[str, list[Interrupt]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    units: list[tuple[str, float]] = field(default_factory=list)
    clock: ManualClock = field(default_factory=ManualClock)

    def on(self, operation: str, *faults: Interrupt) -> None:
        """Let these faults happen to the next calls of the operation."""
        self.faults[operation] = list(faults)

    def interrupt(self, operation: str, request: Mapping[str, Any], apply: Apply) -> Answer:
        """Make the call, as far as the next fault lets it."""
        self.calls.append(operation)
        waiting = self.faults.get(operation)
        return waiting.pop(0)(operation, request, apply) if waiting else apply()


class DisturbedClient:
    """As much of botocore's client as pynamodb uses, with faults before the one behind it."""

    def __init__(self, client: Any, disturbance: Disturbance) -> None:
        self._client = client
        self._disturbance = disturbance

    def _make_api_call(self, operation: str, request: Mapping[str, Any]) -> Answer:
        def apply(changed: Mapping[str, Any] | None = None) -> Answer:
            answer: Answer = self._client._make_api_call(
                operation, request if changed is None else changed
            )
            return answer

        return self._disturbance.interrupt(operation, request, apply)


class DisturbedConnection(Connection):
    """pynamodb's connection with faults between it and the service."""

    def __init__(self, connection: Connection, disturbance: Disturbance) -> None:
        super().__init__()
        self._behind = connection
        self._disturbance = disturbance

    @property
    def client(self) -> Any:
        """The client of the connection behind, disturbed."""
        return DisturbedClient(self._behind.client, self._disturbance)


@pytest.fixture
def disturbance() -> Disturbance:
    """What is to happen to the calls of `table`."""
    return Disturbance()


@pytest.fixture(params=["memory", pytest.param("dynamodb", marks=pytest.mark.stack)])
def other_table(request: pytest.FixtureRequest) -> DynamoTable:
    """Somebody else's view of the table, empty, whose calls nothing disturbs."""
    if request.param == "memory":
        return memory_table()
    return DynamoTable(request.getfixturevalue("data_table"))


@pytest.fixture
def table(other_table: DynamoTable, disturbance: Disturbance) -> DynamoTable:
    """An empty table behind the disturbance, whose waits take no time."""
    return DynamoTable(
        other_table.name,
        clock=disturbance.clock,
        random=Share(1),
        on_write_units=lambda verb, units: disturbance.units.append((verb, units)),
        connection=DisturbedConnection(other_table._connection, disturbance),
    )
