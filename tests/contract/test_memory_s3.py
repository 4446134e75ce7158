"""The fake of S3's client gives the answers of an emulator, call by call."""

from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib.logs.memory_aws import Answers, MemoryS3

pytestmark = pytest.mark.stack


class Both:
    """An empty bucket in memory, and an emulator's."""

    def __init__(self, name: str) -> None:
        client: Any = boto3.Session().client("s3")
        client.create_bucket(Bucket=name)
        self._name = name
        self._clients = (MemoryS3().call, client._make_api_call)

    def call(self, operation: str, **request: Any) -> tuple[str, Any]:
        """Make the call on both; return the error's code, and tag and body of the answer."""
        asked = {"Bucket": self._name, **request}
        ours, theirs = (_said(call, operation, asked) for call in self._clients)
        assert ours == theirs
        return ours


def _said(call: Answers, operation: str, request: Mapping[str, Any]) -> tuple[str, Any]:
    try:
        answer = call(operation, request)
    except ClientError as error:
        return error.response["Error"]["Code"], None
    body = answer.get("Body")
    return "", (answer["ETag"], body.read() if body is not None else None)


@pytest.fixture
def both(aws_account: Mapping[str, str]) -> Both:
    """Two empty buckets. Accounts share one namespace of names."""
    return Both(f"berth-s3-{aws_account['AWS_ACCESS_KEY_ID']}")


def test_what_is_stored_is_read_again(both: Both) -> None:
    both.call("PutObject", Key="a", Body=b"one")
    both.call("PutObject", Key="a", Body=b"two")

    assert both.call("GetObject", Key="a")[1][1] == b"two"
    assert both.call("HeadObject", Key="a")[0] == ""


def test_what_is_not_there_is_said_so(both: Both) -> None:
    assert both.call("GetObject", Key="b")[0] == "NoSuchKey"
    assert both.call("HeadObject", Key="b")[0] == "404"


def test_only_one_is_first(both: Both) -> None:
    assert both.call("PutObject", Key="c", Body=b"one", IfNoneMatch="*")[0] == ""

    assert both.call("PutObject", Key="c", Body=b"two", IfNoneMatch="*")[0] == "PreconditionFailed"
    assert both.call("GetObject", Key="c")[1][1] == b"one"


def test_only_what_was_seen_is_replaced(both: Both) -> None:
    _, (seen, _) = both.call("PutObject", Key="d", Body=b"one")

    assert both.call("PutObject", Key="d", Body=b"two", IfMatch=seen)[0] == ""
    assert both.call("PutObject", Key="d", Body=b"three", IfMatch=seen)[0] == "PreconditionFailed"
    assert both.call("PutObject", Key="none", Body=b"one", IfMatch=seen)[0] == "NoSuchKey"
    assert both.call("GetObject", Key="d")[1][1] == b"two"
