"""The errors of the fake table, in the form in which botocore raises DynamoDB's.

`dynamodb_errors.py` must not be able to tell them from real ones, so nothing here is ours but the
two kinds of refusal that never leave the fake.
"""

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

__all__ = ["InvalidError", "InvalidItemError", "cancelled", "client_error"]


class InvalidError(Exception):
    """The request is wrong, whatever the table holds: ValidationException."""


class InvalidItemError(Exception):
    """The request does not fit the item that it met.

    ValidationException for a single write; within a transaction, the reason of its position.
    """


def client_error(operation: str, code: str, message: str, **fields: Any) -> ClientError:
    """Return an error as botocore makes it of an answer; `fields` are those beside `Error`."""
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"RequestId": "memory", "HTTPStatusCode": 400, "HTTPHeaders": {}},
        **fields,
    }
    return ClientError(response, operation)


def cancelled(reasons: Sequence[dict[str, Any]]) -> ClientError:
    """Return the error of a cancelled transaction, whose reasons are by position.

    Shape of a reason: `{"Code": …, "Message": …, "Item": …}`, or `{"Code": "None"}`.
    """
    codes = ", ".join(reason["Code"] for reason in reasons)
    return client_error(
        "TransactWriteItems",
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        CancellationReasons=list(reasons),
    )
