"""The product's log store over the simulated table and a bucket, every call of which is a boundary."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ReadTimeoutError

from chalicelib.clock import Clock
from chalicelib.logs.dynamodb import DynamoLogs
from chalicelib.logs.memory_aws import MemoryS3, memory_session
from chalicelib.simulation.boundary import Boundary
from chalicelib.simulation.deployment import NEW
from chalicelib.simulation.store import Store

__all__ = ["logs_over"]


def logs_over(store: Store, boundary: Boundary, clock: Clock) -> DynamoLogs:
    """Return the log store of a world; the store's watch sees all that it stores."""
    s3 = MemoryS3()

    def call(operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        def apply() -> Mapping[str, Any]:
            answer = s3.call(operation, request)
            if operation == "PutObject":
                store.watch.logs.stored(request["Key"], request["Body"])
            return answer

        return boundary.call(operation, request["Key"], apply, _no_answer)

    return DynamoLogs(
        store.tables[NEW].name, "bucket", clock=clock, session=memory_session(store.call, call)
    )


def _no_answer() -> Exception:
    return ReadTimeoutError(endpoint_url="memory:")
