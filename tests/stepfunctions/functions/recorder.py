"""A task Lambda of the tests: writes down that it was called, then does what its job's script says.

One source serves DispatchAttempt, FinishJob and RecoverAttempt; `ROLE` says which it is. A script is
`{role: [step, …]}`, one step per call; a call without a step answers.
`{"raise": class name, "facts": {…}}` raises, `{"succeed_at": endpoint}` reports success first.
"""

import builtins
import json
import os
import time
from typing import Any

import boto3

from chalicelib import errors

_ANSWERS = {
    "DispatchAttempt": {"host": "local"},
    "FinishJob": {"outcome": "succeeded"},
    "RecoverAttempt": {"decision": "requeued"},
}
_TABLE = boto3.client("dynamodb")


def handler(event: dict[str, Any], _context: Any) -> dict[str, str]:
    """Record the call, then answer or raise."""
    role = os.environ["ROLE"]
    call = {"role": role, "event": event, "at_s": time.time()}
    item = _TABLE.update_item(
        TableName="calls",
        Key={"job": {"S": event["job"]}},
        UpdateExpression="SET calls = list_append(calls, :call)",
        ExpressionAttributeValues={":call": {"L": [{"S": json.dumps(call)}]}},
        ReturnValues="ALL_NEW",
    )["Attributes"]
    calls = [json.loads(text["S"]) for text in item["calls"]["L"]]
    steps = json.loads(item["script"]["S"]).get(role, [])
    number = sum(made["role"] == role for made in calls)
    if number <= len(steps):
        _perform(steps[number - 1], event)
    return _ANSWERS[role]


def _perform(step: dict[str, Any], event: dict[str, Any]) -> None:
    if "succeed_at" in step:
        sfn = boto3.client("stepfunctions", endpoint_url=step["succeed_at"])
        sfn.send_task_success(taskToken=event["task_token"], output="{}")
    if "raise" in step:
        raise _error(step["raise"])(**step.get("facts", {}))


def _error(name: str) -> type[Exception]:
    found: type[Exception] = getattr(errors, name, None) or getattr(builtins, name)
    return found
