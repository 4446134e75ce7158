"""Logs in the queue's table, results and sealed logs in S3.

Items of attempt `L#<job>#<fence>` (pk), all with `ttl`:

- `C#<step:04d>#<offset:014d>`: a chunk; `z` is zlib of its bytes. First write wins.
- `S#<step:04d>`: a step record as JSON in `r`; `k` ranks its state, so that a late "running" never
  replaces an end.
- `Z`: the attempt is sealed. Until `until` readers go on with the chunks, which are all there;
  after it with the object, since TTL may have taken some of them.

Why chunks first and records after, and why reads are consistent: see `paging`. Why a late chunk
cannot miss the archive: `seal` writes `Z`, then reads the chunks; `append` writes its chunks, then
reads `Z`. Whichever is later sees the other and packs again.
"""

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from chalicelib.clock import Clock
from chalicelib.errors import StoreUnavailableError
from chalicelib.logs.archive import Archive, pack
from chalicelib.logs.aws import CLIENT_CONFIG, error_code, translated
from chalicelib.logs.paging import PAGE_BYTES, Position, cut_page, cut_tail
from chalicelib.logs.protocol import DEFAULT_TAIL_BYTES, LogPage
from chalicelib.logs.records import parse_records, rank, steps_over
from chalicelib.logs.s3 import LogBucket
from chalicelib.model import OutputChunk, Result, StepRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

__all__ = ["DEFAULT_TTL", "DynamoLogs"]

DEFAULT_TTL = timedelta(days=7)
"""How long chunks are kept beside the sealed log."""

_SETTING = "BERTH_TABLE"
_SEALED = "Z"
_WRITERS = 8
_FIRST_QUERY = 8
_LARGEST_QUERY = 512
_SEAL_TRIES = 5


@dataclass(frozen=True, slots=True)
class _Head:
    """What is known of an attempt besides its output."""

    records: tuple[StepRecord, ...]
    sealed_until: int | None

    @property
    def over(self) -> int | None:
        return steps_over(self.records) if self.sealed_until is None else None


class DynamoLogs:
    """The log store of a deployment. Makes its clients at first use; safe to share among threads."""

    def __init__(
        self,
        table: str,
        bucket: str,
        *,
        clock: Clock,
        ttl: timedelta = DEFAULT_TTL,
        page_bytes: int = PAGE_BYTES,
        session: boto3.Session | None = None,
    ) -> None:
        self._table = table
        self._bucket_name = bucket
        self._clock = clock
        self._ttl = ttl
        self._page_bytes = page_bytes
        self._session = session

    @cached_property
    def _dynamodb(self) -> "DynamoDBClient":
        return (self._session or boto3.Session()).client("dynamodb", config=CLIENT_CONFIG)

    @cached_property
    def _bucket(self) -> LogBucket:
        client = (self._session or boto3.Session()).client("s3", config=CLIENT_CONFIG)
        return LogBucket(client, self._bucket_name)

    def append(
        self, job: str, fence: int, *, steps: Sequence[StepRecord], output: Sequence[OutputChunk]
    ) -> None:
        """Store the chunks step by step, then the records; see `LogStore`.

        One write unit per compressed KB, and a read unit to learn whether the log is sealed. A
        heartbeat, which brings neither, costs nothing.
        """
        if not (steps or output):
            return
        key = _partition(job, fence)
        # In parallel within a step only: where a later step's chunk is, the earlier ones' are too.
        for _, chunks in groupby(sorted(output, key=_step_of), key=_step_of):
            _in_parallel([self._chunk_writer(key, chunk) for chunk in chunks])
        _in_parallel([self._record_writer(key, record) for record in steps])
        if self._sealed_until(key) is not None:
            self.seal(job, fence)

    def read_log(
        self, job: str, fence: int, *, cursor: str = "", step: int | None = None
    ) -> LogPage:
        """Return the next page; see `LogStore` and `paging`."""
        start = Position.parse(cursor, step=step)
        head = self._head(_partition(job, fence))
        if archive := self._archive(job, fence, head):
            found, over = archive.chunks(start, step=step), None
        else:
            found, over = self._chunks(_partition(job, fence), start, step=step), head.over
        return cut_page(found, start=start, over=over, max_bytes=self._page_bytes)

    def tail(
        self, job: str, fence: int, *, step: int, max_bytes: int = DEFAULT_TAIL_BYTES
    ) -> LogPage:
        """Return the end of a step's output; see `LogStore`."""
        head = self._head(_partition(job, fence))
        if archive := self._archive(job, fence, head):
            return archive.tail(step=step, max_bytes=max_bytes)
        newest_first = self._chunks_backwards(_partition(job, fence), step)
        return cut_tail(newest_first, step=step, sealed=head.over is None, max_bytes=max_bytes)

    def steps(self, job: str, fence: int) -> tuple[StepRecord, ...]:
        """Return the newest record of each step; see `LogStore`."""
        head = self._head(_partition(job, fence))
        archive = self._archive(job, fence, head)
        return archive.steps() if archive else head.records

    def put_result(self, job: str, fence: int, result: Result) -> Result:
        """Store the result if there is none; see `LogStore`."""
        return self._bucket.put_result(job, fence, result)

    def get_result(self, job: str, fence: int) -> Result | None:
        """Return the stored result."""
        return self._bucket.get_result(job, fence)

    def seal(self, job: str, fence: int) -> None:
        """Join the chunks into one object; see `LogStore`. Does nothing once chunks may be gone.

        Raises:
            StoreUnavailableError: also when others kept sealing the same log at the same time.
        """
        key = _partition(job, fence)
        head = self._head(key)
        if self._archive(job, fence, head):
            return
        if head.sealed_until is None:
            self._mark_sealed(key)
        for _ in range(_SEAL_TRIES):
            version = self._bucket.archive_version(job, fence)
            packed = pack(self._chunks(key, Position()), self._head(key).records)
            if self._bucket.replace_archive(job, fence, packed, version=version):
                return
        raise StoreUnavailableError(reason=f"the log of {job}-{fence} is being sealed by others")

    def _archive(self, job: str, fence: int, head: _Head) -> Archive | None:
        """Return the sealed log if it has to be used: some of the items may be gone."""
        now = _epoch(self._clock.now())
        whole = bool(head.records) if head.sealed_until is None else now < head.sealed_until
        return None if whole else self._bucket.get_archive(job, fence)

    def _expiry(self, ttl: timedelta) -> dict[str, Any]:
        return {"N": str(_epoch(self._clock.now() + ttl))}

    def _chunk_writer(self, key: str, chunk: OutputChunk) -> Callable[[], None]:
        item = {
            "pk": {"S": key},
            "sk": {"S": _chunk_key(Position(step=chunk.step, offset=chunk.offset))},
            "z": {"B": zlib.compress(chunk.data)},
            "ttl": self._expiry(self._ttl),
        }
        return lambda: self._put_if(item, "attribute_not_exists(pk)", None)

    def _record_writer(self, key: str, record: StepRecord) -> Callable[[], None]:
        level = {"N": str(rank(record))}
        item = {
            "pk": {"S": key},
            "sk": {"S": f"S#{record.index:04d}"},
            "r": {"S": json.dumps(record.to_json())},
            "k": level,
            "ttl": self._expiry(self._ttl),
        }
        return lambda: self._put_if(item, "attribute_not_exists(pk) OR k <= :k", {":k": level})

    def _put_if(self, item: Any, condition: str, values: Any) -> None:
        extra = {"ExpressionAttributeValues": values} if values else {}
        with translated(_SETTING):
            try:
                self._dynamodb.put_item(
                    TableName=self._table, Item=item, ConditionExpression=condition, **extra
                )
            except ClientError as error:
                # What is stored already wins: this report, or a later one, has been here before.
                if error_code(error) != "ConditionalCheckFailedException":
                    raise

    def _mark_sealed(self, key: str) -> None:
        now = self._clock.now()
        item = {
            "pk": {"S": key},
            "sk": {"S": _SEALED},
            # Chunks are younger than half their life as long as no attempt takes days.
            "until": {"N": str(_epoch(now + self._ttl / 2))},
            # The mark has to outlive the chunks: without it, what TTL left of them would be read.
            "ttl": self._expiry(4 * self._ttl),
        }
        self._put_if(item, "attribute_not_exists(pk)", None)

    def _sealed_until(self, key: str) -> int | None:
        with translated(_SETTING):
            answer = self._dynamodb.get_item(
                TableName=self._table,
                Key={"pk": {"S": key}, "sk": {"S": _SEALED}},
                ConsistentRead=True,
            )
        item = answer.get("Item")
        return int(item["until"]["N"]) if item else None

    def _head(self, key: str) -> _Head:
        records, sealed_until = list[Any](), None
        for item in self._query(key, "S#", _SEALED, size=_LARGEST_QUERY):
            if item["sk"]["S"] == _SEALED:
                sealed_until = int(item["until"]["N"])
            else:
                records.append(json.loads(item["r"]["S"]))
        return _Head(parse_records(records), sealed_until)

    def _chunks(
        self, key: str, start: Position, *, step: int | None = None
    ) -> Iterator[OutputChunk]:
        last = "C$" if step is None else f"C#{step:04d}$"  # $ sorts right behind #
        for item in self._query(key, _chunk_key(start), last):
            yield _chunk(item)

    def _chunks_backwards(self, key: str, step: int) -> Iterator[OutputChunk]:
        first, last = f"C#{step:04d}#", f"C#{step:04d}$"
        for item in self._query(key, first, last, forward=False):
            yield _chunk(item)

    def _query(
        self, key: str, first: str, last: str, *, forward: bool = True, size: int = _FIRST_QUERY
    ) -> Iterator[dict[str, Any]]:
        # Chunks are from one byte to 256 KiB. Small queries that double read little too much when
        # the caller stops early, and take few round trips when it does not.
        resume = dict[str, Any]()
        while True:
            with translated(_SETTING):
                answer = self._dynamodb.query(
                    TableName=self._table,
                    KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
                    ExpressionAttributeValues={
                        ":pk": {"S": key},
                        ":first": {"S": first},
                        ":last": {"S": last},
                    },
                    ScanIndexForward=forward,
                    ConsistentRead=True,
                    Limit=size,
                    **resume,
                )
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            resume = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
            size = min(2 * size, _LARGEST_QUERY)


def _in_parallel(writes: Sequence[Callable[[], None]]) -> None:
    if len(writes) <= 1:
        for write in writes:
            write()
        return
    with ThreadPoolExecutor(max_workers=_WRITERS) as pool:
        for done in [pool.submit(write) for write in writes]:
            done.result()


def _step_of(chunk: OutputChunk) -> int:
    return chunk.step


def _partition(job: str, fence: int) -> str:
    return f"L#{job}#{fence}"


def _chunk_key(position: Position) -> str:
    return f"C#{position.step:04d}#{position.offset:014d}"


def _chunk(item: dict[str, Any]) -> OutputChunk:
    _, step, offset = item["sk"]["S"].split("#")
    return OutputChunk(step=int(step), offset=int(offset), data=zlib.decompress(item["z"]["B"]))


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp())
