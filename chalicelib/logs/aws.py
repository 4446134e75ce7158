"""What AWS's clients raise, as errors of ours. Shared by the two drivers of this package."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import SettingError, StoreUnavailableError

__all__ = ["CLIENT_CONFIG", "error_code", "translated"]

CLIENT_CONFIG = Config(
    # A Lambda has to see its own failures: boto's default read timeout is 60 s.
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=16,
)

_OPERATOR_CODES = {
    "ResourceNotFoundException",
    "NoSuchBucket",
    "AccessDenied",
    "AccessDeniedException",
    "UnrecognizedClientException",
}
"""Waiting does not cure these: the table or bucket is not there, or the role may not use it."""


def error_code(error: ClientError) -> str:
    """Return AWS's code of the error, such as `ConditionalCheckFailedException`."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def translated(setting: str) -> Iterator[None]:
    """Turn every error of a client into one of ours. `setting` names what points at the resource.

    Raises:
        SettingError: the resource does not exist, or may not be used.
        StoreUnavailableError: anything else: no answer, a throttle, an internal error, a conflict.
    """
    try:
        yield
    except ClientError as error:
        if error_code(error) in _OPERATOR_CODES:
            raise SettingError(name=setting, reason=str(error)) from error
        raise StoreUnavailableError(reason=str(error)) from error
    except BotoCoreError as error:
        raise StoreUnavailableError(reason=str(error)) from error
