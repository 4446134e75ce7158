"""Waiting and retrying, as values and as one function. See `waiting` and `policy`."""

from chalicelib.wait.backoff import Backoff, Randomness
from chalicelib.wait.catching import Catch
from chalicelib.wait.policy import RetryPolicy
from chalicelib.wait.waiting import (
    Means,
    WaitOptions,
    WaitPolicy,
    did_not_raise,
    lambda_time,
    wait_for,
    wait_for_async,
)

__all__ = [
    "Backoff",
    "Catch",
    "Means",
    "Randomness",
    "RetryPolicy",
    "WaitOptions",
    "WaitPolicy",
    "did_not_raise",
    "lambda_time",
    "wait_for",
    "wait_for_async",
]
