"""Deploys a package into the local AWS by CloudFormation, and sets what the emulator leaves out."""

import contextlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.clock import SteadyClock
from chalicelib.errors import LocalStackError, NotReadyError
from chalicelib.keyring.protocol import Keys, Secret
from chalicelib.local.emulator import account_environment
from chalicelib.local.package import Package
from chalicelib.wait import WaitPolicy

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

__all__ = [
    "STACK",
    "AwsSession",
    "Deployment",
    "deploy",
    "deployed",
    "read_deployment",
    "read_keys",
    "write_deployment",
]

STACK = "berth"
_ARTIFACTS = "berth-artifacts"
_LIMIT_S = 120.0
_STACK_READY = WaitPolicy(
    name="the stack of the local AWS",
    sleep=timedelta(milliseconds=100),
    timeout=timedelta(seconds=_LIMIT_S),
)
_TTL_ATTRIBUTE = "ttl"
_BROKEN = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What a deployed stack is called in the local AWS."""

    api: str
    table: str
    bucket: str
    secret_id: str
    run_job_arn: str
    plan_function: str


class AwsSession:
    """Clients of the local AWS, whatever the environment of the caller says."""

    def __init__(self, url: str) -> None:
        variables = account_environment(url)
        self._url = url
        self._session = boto3.Session(
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            region_name=variables["AWS_REGION"],
        )

    def client(self, service: Any) -> Any:
        """Return a client of that service."""
        config = Config(
            retries={"total_max_attempts": 2}, read_timeout=120, s3={"addressing_style": "path"}
        )
        return self._session.client(service, endpoint_url=self._url, config=config)

    def invoke(self, function: str, event: Mapping[str, Any]) -> Any:
        """Invoke a function of the stack by its logical id and return its answer.

        Raises:
            LocalStackError: the function raised.
        """
        stack = self.client("cloudformation")
        found = stack.describe_stack_resource(StackName=STACK, LogicalResourceId=function)
        name = found["StackResourceDetail"]["PhysicalResourceId"]
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        body = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            raise LocalStackError(
                reason=f"{function} failed: {body.get('errorType')}: {body.get('errorMessage')}",
                cure="./berth doctor, and the log of the emulator under .berth/logs",
            )
        return body


def deployed(session: AwsSession) -> Deployment | None:
    """Return the stack as it stands; None when there is none that works."""
    stack = _stack(session.client("cloudformation"))
    if stack is None or stack["StackStatus"] in _BROKEN:
        return None
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
    try:
        return Deployment(
            api=outputs["RestAPIId"],
            table=outputs["TableName"],
            bucket=outputs["BucketName"],
            secret_id=outputs["SecretId"],
            run_job_arn=outputs["RunJobArn"],
            plan_function=outputs["PlanFunction"],
        )
    except KeyError:
        return None


def deploy(session: AwsSession, package: Package) -> Deployment:
    """Create or update the stack; return it. Deploying the same again changes nothing.

    Raises:
        LocalStackError: CloudFormation refused or rolled back; says the resource and the reason.
    """
    try:
        template = _upload(session, package)
        _apply(session.client("cloudformation"), template)
        stack = deployed(session)
        if stack is None:
            raise LocalStackError(
                reason="the stack has no outputs", cure="./berth down, then ./berth up"
            )
        _expire_items(session, stack.table)
        _fill_secret(session, stack.secret_id)
    except (ClientError, BotoCoreError) as error:
        raise LocalStackError(
            reason=f"the local AWS refused the deployment: {error}",
            cure="read .berth/logs/emulator.log",
        ) from error
    return stack


def read_keys(session: AwsSession, secret_id: str) -> Keys:
    """Return the installation's secrets, for the command line of this machine."""
    client = session.client("secretsmanager")
    value = json.loads(client.get_secret_value(SecretId=secret_id)["SecretString"])
    return Keys(
        webhook=tuple(Secret(each) for each in value["webhook"]),
        ticket=Secret(value["ticket"]),
        page=Secret(value["page"]),
    )


def _upload(session: AwsSession, package: Package) -> str:
    """Store the archive under its digest; return the template that names it."""
    s3, key = session.client("s3"), f"{package.digest}.zip"
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=_ARTIFACTS)
    stored = s3.list_objects_v2(Bucket=_ARTIFACTS).get("Contents", [])
    if key not in {each["Key"] for each in stored}:
        s3.put_object(Bucket=_ARTIFACTS, Key=key, Body=package.archive.read_bytes())
    for old in stored:
        if old["Key"] != key:
            s3.delete_object(Bucket=_ARTIFACTS, Key=old["Key"])
    template = json.loads(json.dumps(package.template))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": _ARTIFACTS, "Key": key}
    return json.dumps(template)


def _stack(client: "CloudFormationClient") -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = dict(client.describe_stacks(StackName=STACK)["Stacks"][0])
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return None if found["StackStatus"] == "DELETE_COMPLETE" else found


def _apply(client: "CloudFormationClient", template: str) -> None:
    stack = _stack(client)
    if stack and stack["StackStatus"] in _BROKEN:
        client.delete_stack(StackName=STACK)
        _wait(client, {"DELETE_COMPLETE"})
        stack = None
    abilities: Any = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
    call = client.update_stack if stack else client.create_stack
    try:
        call(StackName=STACK, TemplateBody=template, Capabilities=abilities)
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return
        raise
    _wait(client, {"CREATE_COMPLETE", "UPDATE_COMPLETE"})


def _wait(client: "CloudFormationClient", wanted: set[str]) -> None:
    def is_as_wanted() -> bool:
        stack = _stack(client)
        status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
        if status in wanted:
            return True
        if status.endswith(("_FAILED", "ROLLBACK_COMPLETE")):
            raise LocalStackError(
                reason=f"the stack ended as {status}: {_first_failure(client)}",
                cure="repair that resource in cloudformation/ or app.py, then run this again",
            )
        return False

    try:
        _STACK_READY.wait(is_as_wanted, clock=SteadyClock())
    except NotReadyError as error:
        raise LocalStackError(
            reason=f"the stack is not ready after {_LIMIT_S:.0f} s",
            cure="./berth down, then ./berth up",
        ) from error


def _first_failure(client: "CloudFormationClient") -> str:
    events = client.describe_stack_events(StackName=STACK)["StackEvents"]
    failed = [each for each in events if each.get("ResourceStatus", "").endswith("_FAILED")]
    if not failed:
        return "no resource says why"
    first = min(failed, key=lambda each: each["Timestamp"])
    return f"{first.get('LogicalResourceId')}: {first.get('ResourceStatusReason', 'no reason')}"


def _expire_items(session: AwsSession, table: str) -> None:
    """Set the time to live, which the emulator's CloudFormation ignores."""
    client = session.client("dynamodb")
    state = client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if state["TimeToLiveStatus"] not in {"ENABLED", "ENABLING"}:
        specification = {"Enabled": True, "AttributeName": _TTL_ATTRIBUTE}
        client.update_time_to_live(TableName=table, TimeToLiveSpecification=specification)


def _fill_secret(session: AwsSession, secret_id: str) -> None:
    client = session.client("secretsmanager")
    try:
        if client.get_secret_value(SecretId=secret_id).get("SecretString"):
            return
    except client.exceptions.ResourceNotFoundException:
        pass  # declared by the template, which cannot give it a value
    value = {
        "webhook": [secrets.token_urlsafe(32)],
        "ticket": secrets.token_urlsafe(32),
        "page": secrets.token_urlsafe(32),
    }
    client.put_secret_value(SecretId=secret_id, SecretString=json.dumps(value))


def write_deployment(path: Path, deployment: Deployment, *, made_from: str) -> None:
    """Record what was deployed and from which sources."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"made_from": made_from, **asdict(deployment)}, indent=2))
    part.rename(path)


def read_deployment(path: Path) -> tuple[str, Deployment] | None:
    """Return the fingerprint and names of what was deployed last; None when nothing was."""
    try:
        found = json.loads(path.read_text())
        return found.pop("made_from"), Deployment(**found)
    except (OSError, ValueError, TypeError, KeyError):
        return None
