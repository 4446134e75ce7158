"""The bucket beside Run Command: the way of input to a host, and of output that is long.

Nothing but these objects belongs here; what is in them is the driver's business.
"""

import secrets
from typing import IO, TYPE_CHECKING

import boto3
from botocore.config import Config

from chalicelib.transport.ssm_errors import FOREIGN, translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["Bucket"]

# The signature of version 4: a newer region takes no other one in a URL.
_CONFIG = Config(
    signature_version="s3v4",
    connect_timeout=5,
    read_timeout=30,
    retries={"total_max_attempts": 4, "mode": "standard"},
)


class Bucket:
    """A place for the objects of one transport, or of many.

    The host's role needs `s3:PutObject` below the prefix, for the agent's own uploads; input is
    fetched by a URL and needs no role. Everything is deleted when its run is over, but what a run
    leaves that was cut off: give the prefix a lifecycle rule of a day.
    """

    def __init__(
        self, name: str, *, prefix: str = "run-command", client: "S3Client | None" = None
    ) -> None:
        """Remember where.

        Args:
            name: of the bucket.
            prefix: what all keys begin with.
            client: boto3's S3 client. Default: one is made when it is needed.
        """
        self.name = name
        self.prefix = prefix
        self._client = client

    def add(self, content: IO[bytes], *, host: str) -> str:
        """Store the content and return its key, which cannot be guessed.

        Raises:
            BerthError: what S3 said, see `ssm_errors`.
        """
        key = f"{self.prefix}/input/{secrets.token_hex(32)}"
        try:
            self._s3().put_object(Bucket=self.name, Key=key, Body=content)
        except FOREIGN as error:
            raise translated(error, host=host, sent=False) from error
        return key

    def url(self, key: str, *, valid_s: int, host: str) -> str:
        """Return a URL that whoever has it can read the object with, for a while.

        Raises:
            BerthError: what botocore said, see `ssm_errors`.
        """
        try:
            return self._s3().generate_presigned_url(
                "get_object", Params={"Bucket": self.name, "Key": key}, ExpiresIn=valid_s
            )
        except FOREIGN as error:
            raise translated(error, host=host, sent=False) from error

    def read(self, key: str, *, host: str) -> bytes:
        """Return the object.

        Raises:
            BerthError: what S3 said, see `ssm_errors`.
        """
        try:
            return self._s3().get_object(Bucket=self.name, Key=key)["Body"].read()
        except FOREIGN as error:
            raise translated(error, host=host, sent=True) from error

    def discard(self, key: str) -> None:
        """Delete the object, if it is there and S3 lets us; the lifecycle rule takes the rest."""
        try:
            self._s3().delete_object(Bucket=self.name, Key=key)
        except FOREIGN:
            return

    def _s3(self) -> "S3Client":
        if self._client is None:
            self._client = boto3.client("s3", config=_CONFIG)
        return self._client
