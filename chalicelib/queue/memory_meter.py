"""What the fake table's requests consume, by this project's own accounting (`units.py`)."""

from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.queue.memory_writes import Write
from chalicelib.queue.units import index_units, write_units

__all__ = ["Meter"]


class Meter:
    """Adds units up, and words them as `ReturnConsumedCapacity` asks.

    Attributes:
        written: write units consumed so far, by refused writes too.
        read: read units consumed so far.
    """

    __slots__ = ("_table", "read", "written")

    def __init__(self, table: str) -> None:
        self._table = table
        self.written = 0.0
        self.read = 0.0

    def reads(
        self, request: Mapping[str, Any], units: float, *, many: bool = False
    ) -> dict[str, Any]:
        """Count a read; return the field of its answer, if it is asked for."""
        self.read += units
        if "IndexName" in request:
            return self._consumed(request, 0.0, units, many=many)
        return self._consumed(request, units, 0.0, many=many)

    def writes(
        self,
        request: Mapping[str, Any],
        writes: Iterable[Write],
        *,
        many: bool = False,
        factor: int = 1,
    ) -> dict[str, Any]:
        """Count writes that were done; return the field of their answer, if it is asked for."""
        table = index = 0
        for write in writes:
            table += factor * write_units(write.old[1], write.new[1] if write.new else 0)
            index += index_units(write.old[0] or None, write.new[0] if write.new else None)
        self.written += table + index
        return self._consumed(request, float(table), float(index), many=many)

    def refused(self, writes: Iterable[Write], *, factor: int = 1) -> None:
        """Count writes whose conditions failed: they cost what was there (protocol trap T4)."""
        self.written += sum(factor * write_units(write.old[1], 0) for write in writes)

    def _consumed(
        self, request: Mapping[str, Any], table: float, index: float, *, many: bool
    ) -> dict[str, Any]:
        wanted = request.get("ReturnConsumedCapacity", "NONE")
        if wanted == "NONE":
            return {}
        consumed: dict[str, Any] = {"TableName": self._table, "CapacityUnits": table + index}
        if wanted == "INDEXES":
            consumed["Table"] = {"CapacityUnits": table}
            if index:
                consumed["GlobalSecondaryIndexes"] = {"GSI1": {"CapacityUnits": index}}
        return {"ConsumedCapacity": [consumed] if many else consumed}
