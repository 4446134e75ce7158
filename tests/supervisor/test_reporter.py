"""The order of what a supervisor reports: nothing is called over before its last byte is there."""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.supervisor.journal import Journal
from chalicelib.supervisor.reporter import Listener, Reporter
from chalicelib.supervisor.spool import Spool
from chalicelib.supervisor.verdict import Record
from chalicelib.supervisor.wire import ControlPlane as Wire
from tests.supervisor.control_plane import ControlPlane

_JOB = "abcdefghijklmnop"
_BIG = 5 * 1024 * 1024


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    """A control plane that takes reports."""
    running = ControlPlane("ticket")
    yield running
    running.close()


def _reporter(plane: ControlPlane, folder: Path) -> tuple[Reporter, Spool]:
    ticket = folder / "ticket"
    ticket.write_text("ticket")
    journal = Journal(folder / "log", job=_JOB, fence=1)
    wire = Wire(
        api_url=plane.url,
        attempt=f"{_JOB}/1",
        ticket=ticket,
        journal=journal,
        stopped=threading.Event(),
    )
    listener = Listener(cancelled=lambda: None, lost=lambda _reason: None)
    reporter = Reporter(wire, listener, directory=folder, journal=journal)
    spool = Spool(folder / "output", limit_bytes=100 * _BIG, arrived=reporter.arrived)
    reporter.start(spool)
    return reporter, spool


def test_a_step_is_called_over_only_after_its_last_byte(
    plane: ControlPlane, tmp_path: Path
) -> None:
    """A follower leaves a step once its record says so; what came later it would never show."""
    reporter, spool = _reporter(plane, tmp_path)
    noise = random.Random(7).randbytes(_BIG)  # noqa: S311 - bytes that do not compress, the same each time
    reporter.record(Record(index=0, name="a", state="running"))
    spool.write(0, noise)
    reporter.record(Record(index=0, name="a", state="succeeded"))
    reporter.record(Record(index=1, name="b", state="running"))
    spool.write(1, b"next")
    reporter.record(Record(index=1, name="b", state="failed"))

    reporter.finish()

    arrived: Counter[int] = Counter()
    for report in plane.reports:
        for chunk in report.output:
            arrived[chunk.step] += len(chunk.data)
        for step in report.steps:
            if step.index == 1 or step.state.value != "running":
                assert arrived[0] == _BIG
    assert plane.output(0) == noise
    assert plane.output(1) == b"next"
    assert {index: step.state.value for index, step in plane.steps.items()} == {
        0: "succeeded",
        1: "failed",
    }
    assert len(plane.reports) > 1
    assert plane.faults == []
