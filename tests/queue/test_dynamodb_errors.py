"""Every error that botocore or DynamoDB can raise becomes one of ours, on purpose."""

import botocore.exceptions
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import ResponseParserError
from pynamodb.exceptions import CancellationReason, VerboseClientError

from chalicelib.errors import BerthError, PayloadError, SettingError, StoreUnavailableError
from chalicelib.queue.dynamodb_errors import FOREIGN, MEANINGS, Meaning, meaning, translate

CALLS = (
    "GetItem",
    "BatchGetItem",
    "Query",
    "PutItem",
    "UpdateItem",
    "BatchWriteItem",
    "TransactWriteItems",
)


def service_error(code: str, *reasons: str) -> VerboseClientError:
    """Return the error as pynamodb raises it."""
    return VerboseClientError(
        {"Error": {"Code": code, "Message": "because"}},
        "UpdateItem",
        cancellation_reasons=[
            None if reason == "None" else CancellationReason(code=reason) for reason in reasons
        ],
    )


def declared_errors() -> set[str]:
    """Return the error codes that the service's own model declares for our calls."""
    service = ServiceModel(Loader().load_service_model("dynamodb", "service-2"), "dynamodb")
    return {shape.name for call in CALLS for shape in service.operation_model(call).error_shapes}


def botocore_errors() -> list[type[Exception]]:
    """Return every exception class of botocore."""
    found = vars(botocore.exceptions).values()
    return [each for each in found if isinstance(each, type) and issubclass(each, Exception)]


def test_every_error_the_service_declares_has_a_meaning() -> None:
    assert declared_errors() - MEANINGS.keys() == {"TransactionCanceledException"}


@pytest.mark.parametrize("code", [*MEANINGS, "SomethingNewException"])
def test_every_code_becomes_an_error_of_ours(code: str) -> None:
    error = translate(service_error(code), table="berth", operation="UpdateItem")

    expected: dict[Meaning, type[BerthError]] = {
        Meaning.SETTING: SettingError,
        Meaning.PAYLOAD: PayloadError,
    }
    meant = MEANINGS.get(code, Meaning.LOST)
    assert type(error) is expected.get(meant, StoreUnavailableError)
    assert "because" in str(error)


def test_every_exception_that_a_call_of_botocore_raises_is_foreign() -> None:
    unmapped = {each.__name__ for each in botocore_errors() if not issubclass(each, FOREIGN)}

    # Two warnings, and two faults of botocore's own service descriptions.
    assert unmapped == {
        "ImminentRemovalWarning",
        "UnsupportedTLSVersionWarning",
        "MissingServiceIdError",
        "UndefinedModelAttributeError",
    }


@pytest.mark.parametrize(
    "error",
    [
        botocore.exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        botocore.exceptions.ReadTimeoutError(endpoint_url="http://127.0.0.1:1"),
        botocore.exceptions.NoCredentialsError(),
        ResponseParserError("<html>"),
    ],
)
def test_an_answer_that_does_not_come_is_lost(error: Exception) -> None:
    assert meaning(error) is Meaning.LOST
    translated = translate(error, table="berth", operation="GetItem")
    assert isinstance(translated, StoreUnavailableError)


@pytest.mark.parametrize(
    ("reasons", "meant"),
    [
        (("None", "TransactionConflict"), Meaning.CONTENDED),
        (("ThrottlingError", "None"), Meaning.CONTENDED),
        (("ProvisionedThroughputExceeded",), Meaning.CONTENDED),
        (("ConditionalCheckFailed", "TransactionConflict"), Meaning.REFUSED),
        (("TransactionConflict", "ConditionalCheckFailed"), Meaning.REFUSED),
        (("ValidationError", "None"), Meaning.PAYLOAD),
        ((), Meaning.LOST),
    ],
)
def test_a_cancelled_transaction_means_what_its_strongest_reason_means(
    reasons: tuple[str, ...], meant: Meaning
) -> None:
    assert meaning(service_error("TransactionCanceledException", *reasons)) is meant
