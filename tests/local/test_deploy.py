"""A refused deployment is told by resource and reason, and the next good one replaces it."""

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from chalicelib.errors import LocalStackError
from chalicelib.local.deploy import (
    AwsSession,
    Deployment,
    deploy,
    deployed,
    read_deployment,
    read_keys,
    write_deployment,
)
from chalicelib.local.emulator import Emulator
from chalicelib.local.package import Package

_TABLE: dict[str, Any] = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    },
}
_RESOURCES = {
    "QueueTable": _TABLE,
    "DataBucket": {"Type": "AWS::S3::Bucket"},
    "AppSecret": {"Type": "AWS::SecretsManager::Secret"},
}
_OUTPUTS = {
    "RestAPIId": "api",
    "TableName": {"Ref": "QueueTable"},
    "BucketName": {"Ref": "DataBucket"},
    "SecretId": {"Ref": "AppSecret"},
    "RunJobArn": "machine",
    "PlanFunction": "plan",
}


def _package(folder: Path, **more: Any) -> Package:
    archive = folder / "deployment.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("app.py", "")
    template = {
        "Resources": {**_RESOURCES, **more},
        "Outputs": {name: {"Value": value} for name, value in _OUTPUTS.items()},
    }
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    return Package(template=template, archive=archive, digest=digest)


@pytest.fixture
def session(emulator: Emulator) -> AwsSession:
    """Clients of the emulator, with no stack in it."""
    session = AwsSession(emulator.url)
    session.client("cloudformation").delete_stack(StackName="berth")
    return session


def test_a_deployed_stack_has_its_secrets_and_expiry(session: AwsSession, tmp_path: Path) -> None:
    made = deploy(session, _package(tmp_path))

    keys = read_keys(session, made.secret_id)
    expiry = session.client("dynamodb").describe_time_to_live(TableName=made.table)
    assert expiry["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"
    assert len({keys.ticket.reveal(), keys.page.reveal(), keys.webhook[0].reveal()}) == 3
    assert deployed(session) == made


def test_deploying_the_same_again_keeps_the_secrets(session: AwsSession, tmp_path: Path) -> None:
    first = deploy(session, _package(tmp_path))
    before = read_keys(session, first.secret_id).page.reveal()

    second = deploy(session, _package(tmp_path))

    assert second == first
    assert read_keys(session, second.secret_id).page.reveal() == before


def test_a_refused_template_is_told_and_replaced(session: AwsSession, tmp_path: Path) -> None:
    with pytest.raises(LocalStackError, match="Nonsense"):
        deploy(session, _package(tmp_path, Odd={"Type": "AWS::Nonsense::Thing"}))

    assert deploy(session, _package(tmp_path)) == deployed(session)


def test_a_resource_that_fails_is_named_and_replaced(session: AwsSession, tmp_path: Path) -> None:
    nobody = "arn:aws:lambda:us-east-1:000000000000:function:nobody"
    broken = {"Type": "Custom::Broken", "Properties": {"ServiceToken": nobody}}

    with pytest.raises(LocalStackError, match="Broken"):
        deploy(session, _package(tmp_path, Broken=broken))

    assert deploy(session, _package(tmp_path)) == deployed(session)


def test_secrets_are_not_shown(session: AwsSession, tmp_path: Path) -> None:
    keys = read_keys(session, deploy(session, _package(tmp_path)).secret_id)

    assert keys.page.reveal() not in repr(keys)


def test_what_was_deployed_is_remembered(tmp_path: Path) -> None:
    made = Deployment(
        api="a",
        table="t",
        bucket="b",
        secret_id="s",  # noqa: S106 - a name
        run_job_arn="r",
        plan_function="p",
    )

    write_deployment(tmp_path / "state/deployment.json", made, made_from="sources")

    assert read_deployment(tmp_path / "state/deployment.json") == ("sources", made)
    assert read_deployment(tmp_path / "nothing.json") is None
