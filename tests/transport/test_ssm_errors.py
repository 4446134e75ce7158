"""What SSM and botocore say, as errors of ours: none is forgotten."""

import importlib
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    NoCredentialsError,
    ReadTimeoutError,
)

from chalicelib.errors import (
    AuthenticationError,
    BerthError,
    ConnectionLostError,
    HostUnreachableError,
    ShellError,
    TransportSettingError,
)
from chalicelib.transport.ssm_errors import (
    CLASSES,
    CODES,
    is_passing,
    may_have_arrived,
    translated,
)

_OPERATIONS = (
    "SendCommand",
    "GetCommandInvocation",
    "CancelCommand",
    "DescribeInstanceInformation",
)


def _classes(root: type[Exception]) -> Iterator[type[Exception]]:
    for each in root.__subclasses__():
        yield each
        yield from _classes(each)


def _error(code: str, status: int = 400) -> ClientError:
    facts = {
        "Error": {"Code": code, "Message": "m"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(facts, "SendCommand")  # type: ignore[arg-type]


def _named(value: object) -> str | None:
    if isinstance(value, ClientError):
        answered = value.response["ResponseMetadata"]["HTTPStatusCode"]
        return f"{value.response['Error']['Code']}-{answered}"
    return type(value).__name__ if isinstance(value, Exception) else None


@pytest.mark.parametrize("operation", _OPERATIONS)
def test_each_error_that_ssm_declares_is_in_the_table(operation: str) -> None:
    model = boto3.session.Session(region_name="us-east-1").client("ssm").meta.service_model

    declared = {shape.name for shape in model.operation_model(operation).error_shapes}

    assert declared
    assert declared - CODES.keys() == set()


def test_each_class_of_botocore_is_in_the_table() -> None:
    importlib.import_module("botocore.discovery")  # it has classes of its own
    found = {
        each.__name__ for each in _classes(BotoCoreError) if each.__module__.startswith("botocore.")
    }

    assert len(found) > 90
    assert found - CLASSES.keys() == set()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (_error("AccessDeniedException"), AuthenticationError),
        (_error("ExpiredTokenException"), AuthenticationError),
        (NoCredentialsError(), AuthenticationError),
        (_error("InvalidInstanceId"), HostUnreachableError),
        (_error("InvalidOutputFolder"), TransportSettingError),
        (_error("NoSuchBucket"), TransportSettingError),
        (_error("MaxDocumentSizeExceeded"), ShellError),
        (_error("ThrottlingException"), HostUnreachableError),
        (_error("WhoKnowsException", 503), HostUnreachableError),
        (_error("WhoKnowsException", 429), HostUnreachableError),
        (_error("WhoKnowsException", 400), ShellError),
        (ConnectTimeoutError(endpoint_url="x"), HostUnreachableError),
    ],
    ids=_named,
)
def test_an_error_becomes_what_the_caller_can_do(error: Exception, kind: type[BerthError]) -> None:
    found = translated(error, host="i-1", sent=False)

    assert type(found) is kind


def test_what_is_lost_after_sending_may_have_run() -> None:
    found = translated(ReadTimeoutError(endpoint_url="x"), host="i-1", sent=True)

    assert isinstance(found, ConnectionLostError)
    assert found.may_have_run


@pytest.mark.parametrize(
    ("error", "passing", "arrived"),
    [
        (_error("ThrottlingException"), True, False),
        (_error("RequestLimitExceeded"), True, False),
        (_error("InternalServerError", 500), True, True),
        (ReadTimeoutError(endpoint_url="x"), True, True),
        (ConnectTimeoutError(endpoint_url="x"), True, False),
        (_error("AccessDeniedException"), False, False),
        (ValueError("ours"), False, False),
    ],
    ids=_named,
)
def test_what_is_worth_another_try(error: Exception, *, passing: bool, arrived: bool) -> None:
    assert is_passing(error) is passing
    assert may_have_arrived(error) is arrived
