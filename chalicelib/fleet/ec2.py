"""Instances on EC2: those that this installation has launched, found by their tag.

Launching and provisioning come with the fleet; this is what the sweeper needs to keep that honest.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import StoreUnavailableError
from chalicelib.fleet.protocol import Instance

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

__all__ = ["INSTALLATION_TAG", "Ec2Instances"]

INSTALLATION_TAG = "berth:installation"
"""Every instance is launched with this tag, and with the table's name as its value."""

_CONFIG = Config(
    connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 3, "mode": "standard"}
)
_NOT_ENDED = ["pending", "running", "stopping", "stopped"]
_GONE = {"InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"}


class Ec2Instances:
    """`protocol.Instances` on EC2."""

    def __init__(self, *, installation: str) -> None:
        """See instances whose installation tag has this value."""
        self._installation = installation
        self._ec2_client: EC2Client | None = None

    def launched(self) -> Iterator[Instance]:
        """See `Instances.launched`."""
        wanted = [
            {"Name": f"tag:{INSTALLATION_TAG}", "Values": [self._installation]},
            {"Name": "instance-state-name", "Values": _NOT_ENDED},
        ]
        try:
            for page in self._ec2().get_paginator("describe_instances").paginate(Filters=wanted):  # type: ignore[arg-type]
                for reservation in page["Reservations"]:
                    for found in reservation["Instances"]:
                        yield Instance(id=found["InstanceId"], launched_at=found["LaunchTime"])
        except (ClientError, BotoCoreError) as error:
            raise _unavailable("the instances could not be listed", error) from error

    def terminate(self, instance: str) -> None:
        """See `Instances.terminate`."""
        try:
            self._ec2().terminate_instances(InstanceIds=[instance])
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in _GONE:
                raise _unavailable("the instance could not be terminated", error) from error
        except BotoCoreError as error:
            raise _unavailable("the instance could not be terminated", error) from error

    def _ec2(self) -> "EC2Client":
        if self._ec2_client is None:
            self._ec2_client = boto3.client("ec2", config=_CONFIG)
        return self._ec2_client


def _unavailable(what: str, error: Exception) -> StoreUnavailableError:
    return StoreUnavailableError(reason=f"{what}: {error}")
