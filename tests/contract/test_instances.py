"""What every list of a cloud's instances must do: the fake, and EC2 at its wire."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest

from chalicelib.fleet.ec2 import INSTALLATION_TAG, Ec2Instances
from chalicelib.fleet.memory import MemoryInstances
from chalicelib.fleet.protocol import Instances

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import TagTypeDef

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Site = tuple[Instances, Callable[[], str]]


@pytest.fixture(params=["memory", pytest.param("ec2", marks=pytest.mark.stack)])
def site(request: pytest.FixtureRequest) -> Site:
    """An installation without instances, and a function that launches one and returns its id."""
    if request.param == "memory":
        fake = MemoryInstances()

        def launch() -> str:
            fake.launch("i-0123", now=NOW)
            return "i-0123"

        return fake, launch
    account: Mapping[str, str] = request.getfixturevalue("aws_account")
    assert account
    return Ec2Instances(installation="berth-a"), lambda: launch_on_ec2("berth-a")


def launch_on_ec2(installation: str) -> str:
    """Launch an instance with the tag of an installation."""
    client = boto3.client("ec2")
    answer = client.run_instances(ImageId="ami-00000001", MinCount=1, MaxCount=1)
    name = answer["Instances"][0]["InstanceId"]
    tag: TagTypeDef = {"Key": INSTALLATION_TAG, "Value": installation}
    client.create_tags(Resources=[name], Tags=[tag])
    return name


def test_a_launched_instance_is_listed_with_its_time_until_it_is_terminated(site: Site) -> None:
    instances, launch = site
    assert list(instances.launched()) == []
    name = launch()

    [found] = instances.launched()
    assert found.id == name
    assert found.launched_at.tzinfo is not None
    instances.terminate(name)

    assert list(instances.launched()) == []


def test_what_is_gone_is_terminated_already(site: Site) -> None:
    instances, launch = site
    name = launch()
    instances.terminate(name)

    instances.terminate(name)
    instances.terminate("i-0123456789abcdef0")

    assert list(instances.launched()) == []


@pytest.mark.stack
@pytest.mark.usefixtures("aws_account")
def test_instances_of_others_are_not_ours() -> None:
    boto3.setup_default_session()
    launch_on_ec2("berth-b")

    assert list(Ec2Instances(installation="berth-a").launched()) == []
