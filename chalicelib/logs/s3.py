"""Results and sealed logs in S3: `results/<job>/<fence>.json` and `logs/<job>/<fence>.zip`."""

import json
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from chalicelib.errors import StoreUnavailableError
from chalicelib.logs.archive import Archive
from chalicelib.logs.aws import error_code, translated
from chalicelib.model import Result, parse_result

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["LogBucket"]

_SETTING = "BERTH_BUCKET"
_LOST_RACE = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_MISSING = {"NoSuchKey", "404", "NotFound"}
_TRIES = 5


class LogBucket:
    """One bucket. Keys carry the fence, so attempts never meet."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._last: tuple[str, Archive] | None = None

    def put_result(self, job: str, fence: int, result: Result) -> Result:
        """Store the result unless there is one; return the one that is stored."""
        body = json.dumps(result.to_json(), sort_keys=True).encode()
        for _ in range(_TRIES):
            if self._put(_result_key(job, fence), body, etag=None):
                return result
            # Refused: there is one, or (409) another writer is at it this moment.
            if stored := self.get_result(job, fence):
                return stored
        raise StoreUnavailableError(reason=f"the result of {job}-{fence} could not be stored")

    def get_result(self, job: str, fence: int) -> Result | None:
        """Return the stored result."""
        body = self._get(_result_key(job, fence))
        return None if body is None else parse_result(json.loads(body))

    def archive_version(self, job: str, fence: int) -> str | None:
        """Return a tag of the sealed log as it is now, for `replace_archive`; None if there is none."""
        with translated(_SETTING):
            try:
                head = self._client.head_object(Bucket=self._bucket, Key=_archive_key(job, fence))
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return None
                raise
        return head["ETag"]

    def replace_archive(self, job: str, fence: int, packed: bytes, *, version: str | None) -> bool:
        """Store the sealed log if it still is at `version`; return whether it was."""
        return self._put(_archive_key(job, fence), packed, etag=version)

    def get_archive(self, job: str, fence: int) -> Archive | None:
        """Return the sealed log. The last one is kept, for a reader that pages through it.

        Only for attempts whose archive does not change any more.
        """
        key = _archive_key(job, fence)
        if self._last is None or self._last[0] != key:
            packed = self._get(key)
            if packed is None:
                return None
            self._last = (key, Archive(packed=packed))
        return self._last[1]

    def _get(self, key: str) -> bytes | None:
        with translated(_SETTING):
            try:
                return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return None
                raise

    def _put(self, key: str, body: bytes, *, etag: str | None) -> bool:
        with translated(_SETTING):
            try:
                if etag is None:
                    self._client.put_object(
                        Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*"
                    )
                else:
                    self._client.put_object(Bucket=self._bucket, Key=key, Body=body, IfMatch=etag)
            except ClientError as error:
                if error_code(error) in _LOST_RACE | _MISSING:
                    return False
                raise
        return True


def _result_key(job: str, fence: int) -> str:
    return f"results/{job}/{fence}.json"


def _archive_key(job: str, fence: int) -> str:
    return f"logs/{job}/{fence}.zip"
