"""What is read from items of other releases, and from items that are broken."""

import hashlib
from datetime import UTC, datetime

import pytest

from chalicelib.errors import PayloadError, StoreUnavailableError
from chalicelib.model import JobSpec, RunStep
from chalicelib.queue.dynamodb import DynamoQueue
from chalicelib.queue.dynamodb_items import job_key, spec_key
from chalicelib.queue.dynamodb_pipelines import DynamoPipelines
from chalicelib.queue.dynamodb_table import DynamoTable, Put
from chalicelib.queue.protocol import NewJob

pytestmark = pytest.mark.stack

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JOB = "a" * 16
NEW = NewJob(id=JOB, name="test", pipeline="p" * 16, tenant="acme")


def test_an_item_that_cannot_be_read_is_no_crash_of_ours(table: DynamoTable) -> None:
    raw = {"pk": {"S": job_key(JOB).pk}, "sk": {"S": "S"}, "f": {"S": "one"}}
    table.put("try", Put(item=raw))

    with pytest.raises(StoreUnavailableError, match=JOB):
        DynamoQueue(table, default_limit=1).get_job(JOB)


def test_a_spec_is_stored_compressed_and_refused_when_it_is_still_too_large(
    table: DynamoTable,
) -> None:
    pipelines = DynamoPipelines(table)
    small = JobSpec(name="n", steps=(RunStep(name="s", command="make test\n" * 50_000),))
    noise = "".join(hashlib.sha256(b"%d" % number).hexdigest() for number in range(12_000))
    large = JobSpec(name="n", steps=(RunStep(name="s", command=noise),))

    pipelines.put_specs("p" * 16, {JOB: small})

    raw = table.get(spec_key(JOB))
    assert raw is not None
    assert len(raw["z"]["B"]) < 10_000
    assert pipelines.get_spec(JOB) == small
    with pytest.raises(PayloadError, match="300"):
        pipelines.put_specs("p" * 16, {JOB: large})
    assert pipelines.get_spec(JOB) == small
