"""A host behind an SSM stand-in, as a transport."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from chalicelib.transport.ssm import SsmTransport
from chalicelib.transport.ssm_bucket import Bucket
from chalicelib.transport.ssm_calls import SsmClient, Timing
from chalicelib.transport.ssm_errors import is_passing
from chalicelib.wait import Backoff, WaitPolicy, did_not_raise
from tests.transport.ssm_server import INSTANCE, SsmServer, running_ssm

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["TIMING", "SsmSite", "ssm_site", "ssm_transport"]

_ROOT_SECRET = "test"  # noqa: S105 - the emulator's own, by which it checks the signatures of URLs
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_S = timedelta(seconds=1)
TIMING: dict[str, Any] = {
    "poll": WaitPolicy(
        name="result", sleep=Backoff(first=_S / 100, rate=1.3, cap=_S / 10), tries=None
    ),
    "retry": WaitPolicy(
        name="answer",
        sleep=Backoff(first=_S / 100, cap=_S / 20, jitter=True),
        tries=6,
        catch=is_passing,
        success=did_not_raise,
    ),
    "delivery": 15 * _S,
    "ending": 15 * _S,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SsmSite:
    """A running stand-in, its host and its bucket.

    Attributes:
        server: takes the faults.
        folder: the host's home, and below it what the transport keeps there.
        ssm: a client.
        s3: a client; None when there is no bucket.
        bucket: its name.
    """

    server: SsmServer
    folder: Path
    ssm: SsmClient
    s3: "S3Client | None"
    bucket: str

    @property
    def runs(self) -> Path:
        """The folder of all runs' folders, on the host."""
        return self.folder / "commands"

    def keys(self) -> list[str]:
        """Return what is in the bucket."""
        if self.s3 is None:
            return []
        listed = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return [each["Key"] for each in listed]

    def transport(self, *, instance: str = INSTANCE, **timing: Any) -> SsmTransport:
        """Return a transport to the host, with short waits but for those given."""
        bucket = None if self.s3 is None else Bucket(self.bucket, client=self.s3)
        return SsmTransport(
            instance,
            ssm=self.ssm,
            bucket=bucket,
            timing=Timing(**{**TIMING, **timing}),
            folder=str(self.runs),
        )


@contextmanager
def ssm_site(folder: Path, *, aws: Mapping[str, str] | None) -> Iterator[SsmSite]:
    """Run a stand-in whose host has `folder` as its home.

    Args:
        folder: an empty folder.
        aws: the environment of the `aws_account` fixture, in which the bucket is made; None is a
            host without a bucket.
    """
    s3 = None if aws is None else _s3(aws)
    # All accounts share the names of buckets.
    bucket = f"berth-run-{(aws or {}).get('AWS_ACCESS_KEY_ID', 'none')}"
    if s3 is not None:
        s3.create_bucket(Bucket=bucket)
    home = folder / "home"
    home.mkdir()
    environment = {"PATH": _PATH, "HOME": str(home), "LANG": "C.UTF-8"}
    with running_ssm(folder / "agent", s3=s3, environment=environment) as server:
        ssm = _session(aws or {}).client(
            "ssm",
            endpoint_url=server.url,
            region_name="us-east-1",
            config=Config(read_timeout=10, retries={"total_max_attempts": 1}),
        )
        yield SsmSite(server=server, folder=folder, ssm=ssm, s3=s3, bucket=bucket)
        ssm.close()
    if s3 is not None:
        s3.close()


@contextmanager
def ssm_transport(folder: Path, *, aws: Mapping[str, str] | None) -> Iterator[SsmTransport]:
    """Yield a transport to a host behind a stand-in; see `ssm_site`."""
    with ssm_site(folder, aws=aws) as site:
        yield site.transport()


def _session(aws: Mapping[str, str]) -> boto3.session.Session:
    # A session of its own: boto3's default one keeps the first account's credentials.
    return boto3.session.Session(
        aws_access_key_id=aws.get("AWS_ACCESS_KEY_ID", "none"),
        aws_secret_access_key=_ROOT_SECRET,
        region_name=aws.get("AWS_REGION", "us-east-1"),
    )


def _s3(aws: Mapping[str, str]) -> "S3Client":
    return _session(aws).client(
        "s3",
        endpoint_url=aws["AWS_ENDPOINT_URL"],
        config=Config(signature_version="s3v4", retries={"total_max_attempts": 2}),
    )
