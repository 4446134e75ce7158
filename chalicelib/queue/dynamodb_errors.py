"""What each foreign error of DynamoDB means to Berth: try again, refused, or whose problem it is.

The tables are literal, so that a test can hold them against the service's own list of errors.
Nothing but this translation belongs here.
"""

from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoRegionError
from botocore.parsers import ResponseParserError

from chalicelib.errors import BerthError, PayloadError, SettingError, StoreUnavailableError

__all__ = ["FOREIGN", "MEANINGS", "Meaning", "meaning", "old_item", "translate"]

FOREIGN = (ClientError, BotoCoreError, ResponseParserError)
"""Everything that a call can raise. ResponseParserError (a proxy's HTML) is no BotoCoreError."""


class Meaning(StrEnum):
    """What the driver does about an error."""

    CONTENDED = "contended"  # nothing was applied; wait a little and send it again
    LOST = "lost"  # it may have been applied; the conditions make a repeat safe
    REFUSED = "refused"  # a condition did not hold
    SETTING = "setting"  # somebody who runs Berth has to act
    PAYLOAD = "payload"  # the request itself is wrong


MEANINGS: dict[str, Meaning] = {
    "ConditionalCheckFailedException": Meaning.REFUSED,
    "ConditionalCheckFailed": Meaning.REFUSED,
    # The SDK does not retry these (queue protocol trap T2).
    "TransactionConflictException": Meaning.CONTENDED,
    "TransactionConflict": Meaning.CONTENDED,
    "TransactionInProgressException": Meaning.CONTENDED,
    "ProvisionedThroughputExceededException": Meaning.CONTENDED,
    "ProvisionedThroughputExceeded": Meaning.CONTENDED,
    "RequestLimitExceeded": Meaning.CONTENDED,
    "ReplicatedWriteConflictException": Meaning.CONTENDED,
    "ThrottlingException": Meaning.CONTENDED,
    "ThrottlingError": Meaning.CONTENDED,
    "LimitExceededException": Meaning.CONTENDED,
    "InternalServerError": Meaning.LOST,
    "InternalFailure": Meaning.LOST,
    "ServiceUnavailable": Meaning.LOST,
    "ResourceNotFoundException": Meaning.SETTING,
    "AccessDeniedException": Meaning.SETTING,
    "UnrecognizedClientException": Meaning.SETTING,
    "InvalidSignatureException": Meaning.SETTING,
    "MissingAuthenticationTokenException": Meaning.SETTING,
    "ExpiredTokenException": Meaning.SETTING,
    "IncompleteSignatureException": Meaning.SETTING,
    "InvalidEndpointException": Meaning.SETTING,
    "ValidationException": Meaning.PAYLOAD,
    "ValidationError": Meaning.PAYLOAD,
    "SerializationException": Meaning.PAYLOAD,
    "ItemCollectionSizeLimitExceededException": Meaning.PAYLOAD,
    "ItemCollectionSizeLimitExceeded": Meaning.PAYLOAD,
    # Tokens are a hash of the whole body, so only a collision could bring this one.
    "IdempotentParameterMismatchException": Meaning.PAYLOAD,
}

_CANCELLED = "TransactionCanceledException"


def meaning(error: Exception) -> Meaning:
    """Return what to do about an error. An unknown one counts as a lost answer.

    In a cancelled transaction a failed condition is the strongest reason: to repeat the call would
    only fail again, whatever else was contended.
    """
    if not isinstance(error, ClientError):
        return Meaning.SETTING if isinstance(error, NoRegionError) else Meaning.LOST
    found = {MEANINGS.get(code, Meaning.LOST) for code in _codes(error)}
    strongest = (Meaning.REFUSED, Meaning.PAYLOAD, Meaning.SETTING, Meaning.CONTENDED)
    return next((meant for meant in strongest if meant in found), Meaning.LOST)


def translate(error: Exception, *, table: str, operation: str) -> BerthError:
    """Return the error of ours that says the same. Total: whatever comes in, one of ours goes out."""
    reason = f"{operation} on table {table}: {error}"
    match meaning(error):
        case Meaning.SETTING:
            return SettingError(name="BERTH_TABLE", reason=reason)
        case Meaning.PAYLOAD:
            return PayloadError(reason=reason, status=413 if "size" in str(error).lower() else 400)
        case Meaning.CONTENDED | Meaning.LOST | Meaning.REFUSED:
            return StoreUnavailableError(reason=reason)


def old_item(error: Exception) -> dict[str, Any]:
    """Return the item that a refused single write met; empty when there was none.

    pynamodb keeps only code and message of a single write's error, hence the look at its cause.
    """
    cause = error.__cause__
    found = cause.response.get("Item") if isinstance(cause, ClientError) else None
    return dict(found) if isinstance(found, dict) else {}


def _codes(error: ClientError) -> list[str]:
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code != _CANCELLED:
        return [code]
    reasons = getattr(error, "cancellation_reasons", None) or []
    return [reason.code for reason in reasons if reason is not None] or [code]
