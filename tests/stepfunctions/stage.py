"""What a test of a state machine needs: an interpreter, recorded functions, attempts to watch."""

import functools
import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

__all__ = [
    "ROLES",
    "Attempt",
    "Execution",
    "Functions",
    "Stage",
    "deploy_function",
    "load_definition",
    "wait_until",
]

ROLES = ("DispatchAttempt", "FinishJob", "RecoverAttempt")
_ROOT = Path(__file__).resolve().parents[2]
_ROLE_ARN = "arn:aws:iam::000000000000:role/test"
_LIMIT_S = 15

Definition = dict[str, Any]


def load_definition() -> Definition:
    """Return `run_job` as it stands in the repository, for a test to change its own copy."""
    path = _ROOT / "stepfunctions/run_job.asl.json"
    definition: Definition = json.loads(path.read_text())
    return definition


def wait_until(what: str, check: Callable[[], Any], *, limit_s: float = _LIMIT_S) -> Any:
    """Return what `check` returns as soon as it is truthy; fail, naming `what`, after `limit_s`."""
    deadline = time.monotonic() + limit_s
    while not (found := check()):
        assert time.monotonic() < deadline, f"not within {limit_s} s: {what}"
        time.sleep(0.02)
    return found


def deploy_function(
    url: str,
    name: str,
    *,
    module: str,
    needs: Sequence[str],
    variables: Mapping[str, str] | None = None,
) -> str:
    """Deploy `handler` of one of the files in `functions/`; return its ARN.

    Args:
        url: the emulator.
        name: what the function is called there.
        module: the file's name without its ending.
        needs: patterns of the files of `chalicelib` that it imports.
        variables: its environment; default: empty.
    """
    product = _ROOT / "chalicelib"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.write(Path(__file__).parent / f"functions/{module}.py", f"{module}.py")
        for pattern in ("__init__.py", *needs):
            for path in product.glob(pattern):
                package.write(path, path.relative_to(_ROOT))
    made = _client("lambda", url).create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=_ROLE_ARN,
        Handler=f"{module}.handler",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": dict(variables or {})},
        Timeout=30,
    )
    return str(made["FunctionArn"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Functions:
    """The three recorded functions, deployed to the emulator, and the table that they write to.

    Attributes:
        url: the emulator.
        arns: function ARN by role.
    """

    url: str
    arns: dict[str, str]

    @classmethod
    def deploy(cls, url: str) -> "Functions":
        """Make the table and the functions in the emulator's account of this file."""
        _client("dynamodb", url).create_table(
            TableName="calls",
            AttributeDefinitions=[{"AttributeName": "job", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "job", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        arns = {
            role: deploy_function(
                url,
                f"recorded-{role}",
                module="recorder",
                needs=["errors.py"],
                variables={"ROLE": role},
            )
            for role in ROLES
        }
        return cls(url=url, arns=arns)

    def expect(self, job: str, script: dict[str, Any]) -> None:
        """Make the item that the job's calls are recorded in."""
        item = {"job": {"S": job}, "script": {"S": json.dumps(script)}, "calls": {"L": []}}
        _client("dynamodb", self.url).put_item(TableName="calls", Item=item)

    def calls(self, job: str, role: str) -> list[dict[str, Any]]:
        """Return the events that the function got for the job, in order."""
        answer = _client("dynamodb", self.url).get_item(
            TableName="calls", Key={"job": {"S": job}}, ConsistentRead=True
        )
        calls = [json.loads(text["S"]) for text in answer["Item"]["calls"]["L"]]
        return [call["event"] for call in calls if call["role"] == role]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """An interpreter with the functions behind it. `url` is where Step Functions clients go."""

    url: str
    functions: Functions

    @property
    def sfn(self) -> Any:
        """A Step Functions client of this interpreter."""
        return _client("stepfunctions", self.url)

    def create_machine(self, definition: Definition | None = None) -> str:
        """Return the ARN of a new state machine: `run_job`, or a test's copy of it."""
        text = json.dumps(definition or load_definition())
        for role, arn in self.functions.arns.items():
            text = text.replace("${" + role + "Arn}", arn)
        name = f"test-{uuid.uuid4().hex[:8]}"
        machine = self.sfn.create_state_machine(name=name, definition=text, roleArn=_ROLE_ARN)
        arn = machine["stateMachineArn"]
        assert isinstance(arn, str)
        return arn

    def start(
        self, script: dict[str, Any] | None = None, *, definition: Definition | None = None
    ) -> "Attempt":
        """Start an execution for a new job, whose functions follow `script`."""
        job = uuid.uuid4().hex[:16]
        self.functions.expect(job, script or {})
        machine = self.create_machine(definition)
        request = {
            "stateMachineArn": machine,
            "name": f"{job}-1",
            "input": json.dumps({"fence": 1, "job": job, "version": 1}),
        }
        execution = self.sfn.start_execution(**request)["executionArn"]
        return Attempt(stage=self, job=job, request=request, execution=execution)

    def execute(self, definition: Definition, event: Mapping[str, Any]) -> "Execution":
        """Start an execution of a state machine of the test's own."""
        started = self.sfn.start_execution(
            stateMachineArn=self.create_machine(definition), input=json.dumps(event)
        )
        return Execution(stage=self, execution=started["executionArn"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution on a stage. `execution` is its ARN."""

    stage: Stage
    execution: str

    def status(self) -> str:
        """Return the status of the execution now."""
        return str(self.stage.sfn.describe_execution(executionArn=self.execution)["status"])

    def wait_ended(self) -> dict[str, Any]:
        """Return the description of the execution, once it has ended."""
        wait_until("the end of the execution", lambda: self.status() != "RUNNING")
        ended: dict[str, Any] = self.stage.sfn.describe_execution(executionArn=self.execution)
        return ended

    def history(self) -> list[dict[str, Any]]:
        """Return the events of the execution so far, oldest first."""
        events: list[dict[str, Any]] = self.stage.sfn.get_execution_history(
            executionArn=self.execution
        )["events"]
        return events

    def states(self) -> list[str]:
        """Return the names of the states entered, in order. Each is one transition that is billed."""
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in self.history()
            if event["type"].endswith("StateEntered")
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt(Execution):
    """One execution of `run_job`. `request` is what it was started with."""

    job: str
    request: dict[str, str]

    def calls(self, role: str) -> list[dict[str, Any]]:
        """Return the events that the function got, in order."""
        return self.stage.functions.calls(self.job, role)

    def wait_token(self) -> str:
        """Return the task token, once the dispatching function has it: of its last try."""
        event = wait_until("the dispatch", lambda: self.calls("DispatchAttempt"))[-1]
        return str(event["task_token"])

    def succeed(self) -> None:
        """Report success, as the callback does."""
        self.stage.sfn.send_task_success(taskToken=self.wait_token(), output="{}")


@functools.cache  # making one takes longer than any call
def _client(service: Any, url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - the emulator's root account
    )
