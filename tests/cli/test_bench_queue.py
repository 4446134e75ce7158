"""`berth bench queue`: what is counted, and that the budgets of units hold. Never how long it took."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.cli.bench import bench
from chalicelib.cli.bench_queue import BUDGETS
from chalicelib.cli.bench_queue_claims import fill
from chalicelib.cli.bench_queue_jobs import compare
from chalicelib.cli.bench_table import Cost, MeteredConnection, create_queue_table
from chalicelib.clock import ManualClock
from chalicelib.errors import LocalStackError
from chalicelib.model import Host, JobState, job_id
from chalicelib.queue.dynamodb import DynamoQueue
from chalicelib.queue.dynamodb_items import job_key, tenant_key
from chalicelib.queue.dynamodb_table import DynamoTable
from chalicelib.queue.memory import MemoryDynamo
from chalicelib.queue.protocol import NewJob

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JOB = job_id("default", "0")
HOST = Host(id="h1", slots=2, generation="boot-1")


def names_of(item: Mapping[str, Any]) -> set[str]:
    """Return the attributes that the queue gave an item, without what only some jobs have."""
    return set(item) - {"dv", "sn", "tl", "wt", "lim"}


def test_filled_jobs_have_the_form_of_admitted_ones() -> None:
    filled, admitted = MemoryDynamo(clock=ManualClock()), MemoryDynamo(clock=ManualClock())
    queue = DynamoQueue(admitted.table(), default_limit=1)

    fill(filled.table(), pool="default", jobs=1)
    queue.admit(NewJob(id=JOB, name="build", pipeline=JOB, tenant="default-0"), now=NOW)

    for key in (job_key(JOB), tenant_key("default-0")):
        assert names_of(filled.items()[key]) == names_of(admitted.items()[key])


def test_filled_jobs_are_claimed_like_admitted_ones() -> None:
    table = MemoryDynamo(clock=ManualClock()).table()
    queue = DynamoQueue(table, default_limit=1)
    host = queue.register_host(HOST)
    fill(table, pool="default", jobs=3)

    first = queue.ready("default", limit=1)[0].job
    claimed = queue.claim(first, host=host, nonce="nonce", lease_until=NOW, now=NOW)

    assert claimed is not None
    assert (claimed.id, claimed.state) == (JOB, JobState.LEASED)
    assert len(list(queue.live_jobs())) == 3


def test_accounts_that_differ_are_told_by_step() -> None:
    with pytest.raises(LocalStackError, match=r"claim: 5\.0 by the emulator, 4\.0 by units\.py"):
        compare({"admit": 5.0, "claim": 5.0}, {"admit": 5.0, "claim": 4.0})


@pytest.mark.stack
def test_refused_writes_are_counted_as_wasted(emulator_url: str) -> None:
    """A refused claim wastes two writes of two items; the read before it is what keeps that rare."""
    connection = MeteredConnection(emulator_url)
    table = DynamoTable(create_queue_table(connection, "berth-wasted"), connection=connection)
    queue = DynamoQueue(table, default_limit=1)
    queue.register_host(HOST)
    queue.admit(NewJob(id=JOB, name="build", pipeline=JOB, tenant="acme"), now=NOW)
    before = connection.cost

    rebooted = Host(id="h1", slots=2, generation="boot-0")
    queue.claim(JOB, host=rebooted, nonce="nonce", lease_until=NOW, now=NOW)

    assert connection.cost - before == Cost(requests=2, read=1.0, wasted=4.0, refused=1)


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_jobs_and_claims_keep_to_their_budgets_of_units(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """But the wasted writes: how many claimers meet is a matter of time."""
    assert bench(["queue", "--backlog", "200", "--samples", "3", "--json"]) == 0

    figures = json.loads(capsys.readouterr().out)
    assert set(figures) >= {*BUDGETS, "claims_per_s", "naive", "wcu_per_pipeline"}
    assert figures["wcu_per_job"] == figures["wcu_per_job_by_units_py"]
    exact = set(BUDGETS) - {"wasted_writes_per_claim_16"}
    assert {name for name in exact if figures[name] > BUDGETS[name]} == set()
    naive = figures["naive"]
    assert (naive["textbook_wcu_per_job"], naive["document_wcu_per_job"]) == (50, 302)
    assert naive["filter_scan_cost_ratio_1e2_1e5"] > 1
