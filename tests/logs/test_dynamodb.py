"""What only the DynamoDB and S3 driver can get wrong; the rest is in `tests/contract/test_logs.py`."""

import io
import json
import os
import zipfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from chalicelib.clock import ManualClock, SystemClock
from chalicelib.errors import SettingError, StoreUnavailableError
from chalicelib.logs.dynamodb import DEFAULT_TTL, DynamoLogs
from chalicelib.model import Outcome, OutputChunk, Result, StepRecord, StepState

JOB = "abcdefghijklmnop"
DATA_STACK = Path(__file__).parents[2] / "cloudformation" / "data.yaml"
ENDED = StepRecord(
    index=0, name="test", state=StepState.FAILED, exit_status=1, started_at_ms=1, ended_at_ms=2
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(start=SystemClock().now())


@pytest.fixture
def logs(aws_account: Mapping[str, str], clock: ManualClock) -> DynamoLogs:  # noqa: ARG001 - sets the environment
    table = yaml.safe_load(DATA_STACK.read_text())["Resources"]["QueueTable"]["Properties"]
    wanted = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
    boto3.Session().client("dynamodb").create_table(
        TableName="berth", **{key: table[key] for key in wanted}
    )
    boto3.Session().client("s3").create_bucket(Bucket=bucket_name())
    return DynamoLogs("berth", bucket_name(), clock=clock, session=boto3.Session())


def bucket_name() -> str:
    """Return a name for this account's bucket: accounts share one namespace."""
    return f"berth-{os.environ['AWS_ACCESS_KEY_ID']}"


def items() -> list[dict[str, Any]]:
    return boto3.Session().client("dynamodb").scan(TableName="berth")["Items"]


def delete_items(prefix: str) -> None:
    for item in items():
        if item["sk"]["S"].startswith(prefix):
            key = {"pk": item["pk"], "sk": item["sk"]}
            boto3.Session().client("dynamodb").delete_item(TableName="berth", Key=key)


def sealed() -> zipfile.ZipFile:
    body = (
        boto3.Session()
        .client("s3")
        .get_object(Bucket=bucket_name(), Key=f"logs/{JOB}/1.zip")["Body"]
        .read()
    )
    return zipfile.ZipFile(io.BytesIO(body))


def text(logs: DynamoLogs) -> bytes:
    return b"".join(part.data for part in logs.read_log(JOB, 1).chunks)


def chunk(offset: int, data: bytes, step: int = 0) -> OutputChunk:
    return OutputChunk(step=step, offset=offset, data=data)


def test_every_item_expires(logs: DynamoLogs, clock: ManualClock) -> None:
    logs.append(JOB, 1, steps=[ENDED], output=[chunk(0, b"x")])
    logs.seal(JOB, 1)

    expiry = {item["sk"]["S"]: int(item["ttl"]["N"]) for item in items()}

    week = int((clock.now() + DEFAULT_TTL).timestamp())
    assert expiry["C#0000#00000000000000"] == expiry["S#0000"] == week
    assert expiry["Z"] > week


def test_a_chunk_of_random_bytes_fits_an_item(logs: DynamoLogs) -> None:
    block = os.urandom(256 * 1024)

    logs.append(JOB, 1, steps=[], output=[chunk(n * len(block), block) for n in range(16)])

    assert text(logs) == block * 4


def test_the_sealed_log_opens_with_any_unzip(logs: DynamoLogs) -> None:
    output = [chunk(0, b"one"), chunk(3, b"\xffend"), chunk(0, b"after", step=2)]
    logs.append(JOB, 1, steps=[ENDED], output=output)

    logs.seal(JOB, 1)

    with sealed() as archive:
        assert archive.namelist() == ["000.log", "002.log", "steps.json"]
        assert archive.read("000.log") == b"one\xffend"
        assert json.loads(archive.read("steps.json"))["steps"] == [ENDED.to_json()]


def test_sealing_twice_gives_the_same_bytes(logs: DynamoLogs) -> None:
    logs.append(JOB, 1, steps=[ENDED], output=[chunk(0, b"one")])
    s3 = boto3.Session().client("s3")
    logs.seal(JOB, 1)
    first = s3.head_object(Bucket=bucket_name(), Key=f"logs/{JOB}/1.zip")["ETag"]

    logs.seal(JOB, 1)

    assert s3.head_object(Bucket=bucket_name(), Key=f"logs/{JOB}/1.zip")["ETag"] == first


def test_a_chunk_that_comes_after_the_seal_is_sealed_too(logs: DynamoLogs) -> None:
    logs.append(JOB, 1, steps=[], output=[chunk(0, b"early ")])
    logs.seal(JOB, 1)

    logs.append(JOB, 1, steps=[ENDED], output=[chunk(6, b"late")])

    with sealed() as archive:
        assert archive.read("000.log") == b"early late"


def test_the_sealed_log_serves_when_chunks_expire(logs: DynamoLogs, clock: ManualClock) -> None:
    logs.append(JOB, 1, steps=[ENDED], output=[chunk(0, b"one "), chunk(4, b"two")])
    logs.seal(JOB, 1)
    cursor = logs.read_log(JOB, 1).cursor
    delete_items("C#0000#00000000000000")

    clock.advance(timedelta(days=7))

    assert text(logs) == b"one two"
    assert logs.read_log(JOB, 1, cursor=cursor).chunks == ()
    assert logs.tail(JOB, 1, step=0, max_bytes=3).chunks == (chunk(4, b"two"),)


def test_the_sealed_log_serves_when_all_items_are_gone(logs: DynamoLogs) -> None:
    logs.append(JOB, 1, steps=[ENDED], output=[chunk(0, b"one")])
    logs.seal(JOB, 1)

    delete_items("")

    assert text(logs) == b"one"
    assert logs.steps(JOB, 1) == (ENDED,)


def test_sealing_again_after_items_expired_keeps_what_was_sealed(
    logs: DynamoLogs, clock: ManualClock
) -> None:
    logs.append(JOB, 1, steps=[ENDED], output=[chunk(0, b"one")])
    logs.seal(JOB, 1)
    clock.advance(timedelta(days=7))
    delete_items("C")

    logs.seal(JOB, 1)

    assert text(logs) == b"one"


def test_results_are_named_by_the_attempt(logs: DynamoLogs) -> None:
    logs.put_result(JOB, 2, Result(outcome=Outcome.FAILED, reason="no", steps=()))

    body = (
        boto3.Session()
        .client("s3")
        .get_object(Bucket=bucket_name(), Key=f"results/{JOB}/2.json")["Body"]
    )
    assert json.loads(body.read())["outcome"] == "failed"


@pytest.mark.usefixtures("aws_account")
def test_a_table_or_bucket_that_is_missing_is_the_operators_business(clock: ManualClock) -> None:
    astray = DynamoLogs("nowhere", "nowhere", clock=clock)

    with pytest.raises(SettingError, match="BERTH_TABLE"):
        astray.steps(JOB, 1)
    with pytest.raises(SettingError, match="BERTH_BUCKET"):
        astray.put_result(JOB, 1, Result(outcome=Outcome.FAILED, reason="", steps=()))


@pytest.mark.usefixtures("aws_account")
def test_a_store_that_does_not_answer_may_be_tried_again(
    monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    unreachable = DynamoLogs("berth", bucket_name(), clock=clock, session=boto3.Session())

    with pytest.raises(StoreUnavailableError):
        unreachable.append(JOB, 1, steps=[], output=[chunk(0, b"x")])
    with pytest.raises(StoreUnavailableError):
        unreachable.get_result(JOB, 1)
