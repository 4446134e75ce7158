"""The waiting policies of the services' calls, by name.

The `Retry` blocks of `stepfunctions/*.asl.json` are these, rendered; a test holds them equal. A block
covers what a Lambda raises and what calling a Lambda can raise, since both end the same task.
"""

from datetime import timedelta

from chalicelib.errors import HostUnreachableError, StoreUnavailableError
from chalicelib.wait.policy import RetryPolicy

__all__ = ["HOST_CALL", "STORE_CALL"]

# What AWS may answer instead of running a function; each says that nothing was decided. All our task
# Lambdas are safe to repeat, so that a run whose answer was lost does no harm. From
# https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html.
_LAMBDA_DID_NOT_RUN = (
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
)

# Five retries take at most 31 s. A store that is away for longer is the sweeper's business: it holds
# no execution open, and after an outage it reaps with care.
STORE_CALL = RetryPolicy(
    name="store call",
    errors=(StoreUnavailableError, *_LAMBDA_DID_NOT_RUN),
    interval=timedelta(seconds=1),
    backoff_rate=2.0,
    max_attempts=5,
    max_delay=timedelta(seconds=20),
    jitter=True,
)

# The same patience for a host: one that doesn't answer for half a minute is treated as gone.
HOST_CALL = RetryPolicy(
    name="host call",
    errors=(StoreUnavailableError, HostUnreachableError, *_LAMBDA_DID_NOT_RUN),
    interval=timedelta(seconds=1),
    backoff_rate=2.0,
    max_attempts=5,
    max_delay=timedelta(seconds=20),
    jitter=True,
)
