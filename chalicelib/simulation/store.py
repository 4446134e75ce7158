"""The table: the product's `DynamoTable` over DynamoDB in memory, whose every request is a boundary.

Faults of the store are those of protocol section 3.1, in the forms of `queue/memory_faults`. It may
also be away as a whole for up to hours, and its index lags by a time that the seed draws.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from chalicelib.queue import memory_faults
from chalicelib.queue.dynamodb_table import DynamoTable
from chalicelib.queue.memory import Answer, Apply, MemoryDynamo
from chalicelib.simulation.boundary import Boundary
from chalicelib.simulation.deployment import NEW, OLD
from chalicelib.simulation.engine import ActorClock, EngineClock
from chalicelib.simulation.faults import Fault
from chalicelib.simulation.watch import Watch

__all__ = ["Store"]

_WRITES = {"PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"}
_LATE = 0.2
_DEAD_MS = 2_000
"""The driver's own read time-out."""


class Store:
    """One table, its faults and its watch.

    Attributes:
        tables: for the product's queue and pipelines, by the schema version of a release.
        away: whether no request gets an answer.
        watch: looks at every applied write.
    """

    def __init__(self, boundary: Boundary, *, longest_lag_ms: int, default_limit: int) -> None:
        engine, random = boundary.engine, boundary.random
        self._boundary = boundary
        self._longest_lag_ms = longest_lag_ms
        self.away = False
        self._dynamo = MemoryDynamo(
            clock=EngineClock(engine), interrupt=self._interrupt, lag=self._lag
        )
        self.tables: dict[int, DynamoTable] = {
            version: self._dynamo.table(
                clock=ActorClock(engine),
                random=random,
                on_write_units=self._note_units,
                version=version,
            )
            for version in (NEW, OLD)
        }
        self.watch = Watch(
            engine, boundary.history, self._dynamo.items, default_limit=default_limit
        )

    def call(self, operation: str, request: Mapping[str, Any]) -> Answer:
        """Answer a request as botocore's client does, for drivers that have one of their own."""
        return self._dynamo.call(operation, request)

    @property
    def writes(self) -> int:
        """Return how many items were written."""
        return self._dynamo.version

    def heal(self) -> None:
        """Answer at once from now on, and let the index not lag."""
        self.away = False
        self._longest_lag_ms = 0

    def _lag(self) -> timedelta:
        random = self._boundary.random
        # Mostly well under a second (trap T8), now and then as long as this seed allows.
        late = random.random() < _LATE
        longest_ms = self._longest_lag_ms if late else self._longest_lag_ms // 50
        return timedelta(milliseconds=random.randint(0, longest_ms))

    def _interrupt(self, operation: str, request: Mapping[str, Any], apply: Apply) -> Answer:
        boundary = self._boundary
        if self.away:
            boundary.engine.pause(_DEAD_MS)
            if self.away:
                return memory_faults.never_arrived(operation, request, apply)
        fault = boundary.faults.draw(operation)
        boundary.arrive(operation, _told(operation, request), fault)
        make = _FAULTS.get(fault) if fault is not None else None
        watched = self._watched(operation, request, apply) if operation in _WRITES else apply
        answer = watched() if make is None else self._failing(make, operation, request, watched)
        boundary.leave(fault)
        return answer

    def _failing(
        self,
        make: Callable[[str, Mapping[str, Any], Apply], Answer],
        operation: str,
        request: Mapping[str, Any],
        apply: Apply,
    ) -> Answer:
        try:
            return make(operation, request, apply)
        except Exception:
            self._boundary.travel()
            raise

    def _watched(self, operation: str, request: Mapping[str, Any], apply: Apply) -> Apply:
        def watched(changed: Mapping[str, Any] | None = None) -> Answer:
            version = self._dynamo.version
            answer = apply() if changed is None else apply(changed)
            if self._dynamo.version != version:
                self.watch.applied(operation, request)
            return answer

        return watched

    def _note_units(self, verb: str, units: float) -> None:
        dearest = self._boundary.history.units
        dearest[verb] = max(units, dearest.get(verb, 0))


_FAULTS = {
    Fault.ERROR: memory_faults.failed_before,
    Fault.LOST: memory_faults.answer_lost,
    Fault.TWICE: memory_faults.sent_twice,
    Fault.CONFLICT: memory_faults.conflict,
    Fault.THROTTLE: memory_faults.throttled,
    Fault.IN_PROGRESS: memory_faults.in_progress,
    Fault.LEFT_OVER: memory_faults.left_over,
    Fault.FORGOTTEN: memory_faults.token_forgotten,
}


def _told(operation: str, request: Mapping[str, Any]) -> str:
    """Return what the trace says of a request: the keys it is about."""
    match operation:
        case "Query":
            values = request["ExpressionAttributeValues"]
            return str(values[":q" if "IndexName" in request else ":pk"]["S"])
        case "BatchGetItem":
            ((page),) = request["RequestItems"].values()
            return " ".join(key["pk"]["S"] for key in page["Keys"])
        case "BatchWriteItem":
            ((page),) = request["RequestItems"].values()
            return " ".join(each["PutRequest"]["Item"]["pk"]["S"] for each in page)
        case "TransactWriteItems":
            return " ".join(
                _key(write) for each in request["TransactItems"] for write in each.values()
            )
        case _:
            return _key(request)


def _key(request: Mapping[str, Any]) -> str:
    named = request.get("Key") or request["Item"]
    return str(named["pk"]["S"])
