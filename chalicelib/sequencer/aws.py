"""The sequencer on Lambda and Step Functions."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import StoreUnavailableError
from chalicelib.model import attempt_name
from chalicelib.model.names import ATTEMPT_NAME
from chalicelib.sequencer.protocol import execution_input

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_stepfunctions import SFNClient

__all__ = ["AwsSequencer"]

# A Lambda must see its own failures: the default read time-out of 60 s outlives it.
_CONFIG = Config(
    connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 3, "mode": "standard"}
)

# A token whose task has ended, timed out, or was never ours: nobody waits.
_NOBODY_WAITS = {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"}


class AwsSequencer:
    """Invokes the planner function and drives executions of one state machine."""

    def __init__(self, *, plan_function: str, run_job_arn: str) -> None:
        self._plan_function = plan_function
        self._run_job_arn = run_job_arn
        self._lambda_client: LambdaClient | None = None
        self._sfn_client: SFNClient | None = None

    def plan(self, pipeline: str) -> None:
        """See `Sequencer.plan`."""
        payload = f'{{"pipeline":"{pipeline}"}}'.encode()
        try:
            self._lambda().invoke(
                FunctionName=self._plan_function, InvocationType="Event", Payload=payload
            )
        except (ClientError, BotoCoreError) as error:
            raise _unavailable("the planner could not be invoked", error) from error

    def start(self, job: str, fence: int) -> None:
        """See `Sequencer.start`."""
        try:
            self._sfn().start_execution(
                stateMachineArn=self._run_job_arn,
                name=attempt_name(job, fence),
                input=execution_input(job, fence),
            )
        except ClientError as error:
            if _code(error) != "ExecutionAlreadyExists":
                raise _unavailable("the execution could not be started", error) from error
        except BotoCoreError as error:
            raise _unavailable("the execution could not be started", error) from error

    def stop(self, job: str, fence: int, *, reason: str) -> None:
        """See `Sequencer.stop`."""
        arn = self._run_job_arn.replace(":stateMachine:", ":execution:")
        try:
            self._sfn().stop_execution(
                executionArn=f"{arn}:{attempt_name(job, fence)}",
                error="Stopped",
                cause=reason[:256],
            )
        except ClientError as error:
            if _code(error) not in {"ExecutionDoesNotExist", "ValidationException"}:
                raise _unavailable("the execution could not be stopped", error) from error
        except BotoCoreError as error:
            raise _unavailable("the execution could not be stopped", error) from error

    def open_executions(self) -> Iterator[tuple[str, int]]:
        """See `Sequencer.open_executions`."""
        pages = self._sfn().get_paginator("list_executions")
        try:
            for page in pages.paginate(stateMachineArn=self._run_job_arn, statusFilter="RUNNING"):
                for execution in page["executions"]:
                    match = ATTEMPT_NAME.match(execution["name"])
                    if match:
                        yield match["job"], int(match["fence"])
        except (ClientError, BotoCoreError) as error:
            raise _unavailable("the executions could not be listed", error) from error

    def heartbeat(self, task_token: str) -> bool:
        """See `Sequencer.heartbeat`."""
        try:
            self._sfn().send_task_heartbeat(taskToken=task_token)
        except ClientError as error:
            return _nobody_waits(error)
        except BotoCoreError as error:
            raise _unavailable("the heartbeat could not be passed on", error) from error
        return True

    def succeed(self, task_token: str) -> bool:
        """See `Sequencer.succeed`."""
        try:
            self._sfn().send_task_success(taskToken=task_token, output="{}")
        except ClientError as error:
            return _nobody_waits(error)
        except BotoCoreError as error:
            raise _unavailable("the result could not be passed on", error) from error
        return True

    def _lambda(self) -> "LambdaClient":
        if self._lambda_client is None:
            self._lambda_client = boto3.client("lambda", config=_CONFIG)
        return self._lambda_client

    def _sfn(self) -> "SFNClient":
        if self._sfn_client is None:
            self._sfn_client = boto3.client("stepfunctions", config=_CONFIG)
        return self._sfn_client


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _nobody_waits(error: ClientError) -> bool:
    if _code(error) in _NOBODY_WAITS:
        return False
    raise _unavailable("Step Functions refused the task token", error) from error


def _unavailable(what: str, error: Exception) -> StoreUnavailableError:
    return StoreUnavailableError(reason=f"{what}: {error}")
