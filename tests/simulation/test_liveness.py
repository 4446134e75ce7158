"""Each liveness check is shown what it forbids."""

import pytest

from chalicelib.simulation.history import History
from chalicelib.simulation.liveness import LIVENESS, Remains, unfinished, waiting_with_room
from chalicelib.simulation.snapshot import PipelineRow, PoolRow, Snapshot
from tests.simulation.rows import JOB, done, history, host, job, ready, snapshot, tenant

Case = tuple[Snapshot, History, Remains]


def _ended(*jobs: str) -> Snapshot:
    now = snapshot(done(), tenants=[tenant(*jobs)], hosts=[host(jobs={})])
    now.put("", PipelineRow("p", "ended", "succeeded", "V", (JOB,)))
    return now


def _waiting() -> History:
    told = history()
    told.waits[JOB] = 4
    return told


def _lost() -> History:
    told = history()
    told.acknowledged["event-1"] |= {"q"}
    return told


_OPEN = snapshot(done(), tenants=[tenant()], hosts=[host(jobs={})])
_UNDONE = _ended()
_UNDONE.put("", ready())
_TRIED_OFTEN = _ended()
_TRIED_OFTEN.put("", done(attempts=4))

_CASES: dict[str, Case] = {
    "L1 no answer": (_ended(), history(), Remains(unanswered=("event-1",))),
    "L1 lost": (_ended(), _lost(), Remains()),
    "L2 pipeline": (_OPEN, history(), Remains()),
    "L2 job": (_UNDONE, history(), Remains()),
    "L3 slot": (_ended(JOB), history(), Remains()),
    "L3 container": (_ended(), history(), Remains(containers=((JOB, 1),))),
    "L3 execution": (_ended(), history(), Remains(executions=(f"{JOB}-1",))),
    "L4 waits": (_ended(), _waiting(), Remains()),
    "L5 attempts": (_TRIED_OFTEN, history(), Remains(max_attempts=3)),
}


@pytest.mark.parametrize("name", _CASES)
def test_what_is_left_undone_is_found(name: str) -> None:
    found = {violation.invariant for violation in unfinished(*_CASES[name])}

    assert found == {name.partition(" ")[0]}


def test_every_check_has_a_case() -> None:
    assert {name.partition(" ")[0] for name in _CASES} == set(LIVENESS)


def test_a_world_at_rest_has_nothing_undone() -> None:
    assert unfinished(_ended(), history(), Remains()) == []


def test_a_ready_job_waits_for_nothing_when_a_host_has_room() -> None:
    now = snapshot(ready(), tenants=[tenant(JOB)], hosts=[host(jobs={})])

    assert waiting_with_room(now, 0) == {JOB}


@pytest.mark.parametrize(
    "pool",
    [
        PoolRow("*", paused=True, closed_until_ms=0),
        PoolRow("default", paused=True, closed_until_ms=0),
        PoolRow("default", paused=False, closed_until_ms=9),
    ],
)
def test_a_ready_job_waits_for_a_pool_that_is_shut(pool: PoolRow) -> None:
    now = snapshot(ready(), tenants=[tenant(JOB)], hosts=[host(jobs={})])
    now.put("", pool)

    assert waiting_with_room(now, 0) == set()


def test_a_pending_job_waits_for_its_tenants_slot() -> None:
    waits = job(state="pending")
    full = snapshot(waits, tenants=[tenant("b", "c")], hosts=[])
    roomy = snapshot(waits, tenants=[tenant("b")], hosts=[])

    assert waiting_with_room(full, 0) == set()
    assert waiting_with_room(roomy, 0) == {JOB}
