"""Verified fakes of the clients that `DynamoLogs` makes: S3's, and DynamoDB's over any answers.

For tests and the simulation only. `tests/contract/test_memory_s3.py` holds S3's equal to an
emulator, and `test_logs.py` the log store over both. What else clients can do, and what else these
calls may be given, is an error.
"""

import hashlib
import io
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    import boto3

__all__ = ["Answers", "MemoryS3", "memory_session"]

Answers = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Answers a request, given the operation's name, as botocore's client does."""

_FIELDS = {
    "PutObject": {"Bucket", "Key", "Body", "IfNoneMatch", "IfMatch"},
    "GetObject": {"Bucket", "Key"},
    "HeadObject": {"Bucket", "Key"},
}


class MemoryS3:
    """Objects by key, in whichever bucket they are asked for: there is one."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}

    def objects(self) -> Mapping[str, bytes]:
        """Return all objects by key: a live view."""
        return MappingProxyType(self._objects)

    def call(self, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Answer a request as botocore's client does.

        Raises:
            ClientError: as S3's.
            NotImplementedError: the fake has no such operation or field.
        """
        unknown = request.keys() - _FIELDS.get(operation, set())
        if unknown:
            raise NotImplementedError(f"the fake knows no {sorted(unknown)} of {operation}")
        stored = self._objects.get(request["Key"])
        if operation == "PutObject":
            return self._put(request, stored)
        if stored is None:
            # An answer to HEAD has no body that could name the error.
            raise _error(operation, "NoSuchKey" if operation == "GetObject" else "404", 404)
        body = {"Body": io.BytesIO(stored)} if operation == "GetObject" else {}
        return {"ETag": _tag(stored), **body}

    def _put(self, request: Mapping[str, Any], stored: bytes | None) -> Mapping[str, Any]:
        wanted = request.get("IfMatch")
        if wanted and stored is None:
            raise _error("PutObject", "NoSuchKey", 404)
        taken = "IfNoneMatch" in request and stored is not None
        if taken or (wanted and stored is not None and _tag(stored) != wanted):
            raise _error("PutObject", "PreconditionFailed", 412)
        body = bytes(request["Body"])
        self._objects[request["Key"]] = body
        return {"ETag": _tag(body)}


def memory_session(dynamodb: Answers, s3: Answers) -> "boto3.Session":
    """Return what makes clients as a session does, over these answers."""
    return cast("boto3.Session", _Session({"dynamodb": _Dynamo(dynamodb), "s3": _S3(s3)}))


class _Session:
    def __init__(self, clients: Mapping[str, object]) -> None:
        self._clients = clients

    def client(self, service: str, config: object) -> object:
        del config  # about time-outs and retries: nothing here waits
        return self._clients[service]


class _Dynamo:
    """As much of DynamoDB's client as `DynamoLogs` uses."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def put_item(self, **request: Any) -> Mapping[str, Any]:
        return self._answers("PutItem", request)

    def get_item(self, **request: Any) -> Mapping[str, Any]:
        return self._answers("GetItem", request)

    def query(self, **request: Any) -> Mapping[str, Any]:
        return self._answers("Query", request)


class _S3:
    """As much of S3's client as `LogBucket` uses."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def put_object(self, **request: Any) -> Mapping[str, Any]:
        return self._answers("PutObject", request)

    def get_object(self, **request: Any) -> Mapping[str, Any]:
        return self._answers("GetObject", request)

    def head_object(self, **request: Any) -> Mapping[str, Any]:
        return self._answers("HeadObject", request)


def _tag(body: bytes) -> str:
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def _error(operation: str, code: str, status: int) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": code},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "memory"},
    }
    return ClientError(response, operation)
