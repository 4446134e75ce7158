"""Each promise about logs is shown what breaks it: a check that cannot fail is worth nothing."""

import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chalicelib.logs.archive import pack
from chalicelib.model import OutputChunk
from chalicelib.simulation.engine import Actor, Engine
from chalicelib.simulation.history import History
from chalicelib.simulation.log_watch import LogWatch

ATTEMPT = ("job", 2)
LINE = OutputChunk(step=0, offset=0, data=b"made\n")


class Logs:
    """A watch, and the writes that it is shown."""

    def __init__(self) -> None:
        self.engine, self.history = Engine(), History()
        self.watch = LogWatch(self.engine, self.history)

    def write(self, sk: str, **attributes: Any) -> None:
        """Write an item of the attempt's log."""
        self.watch.written("L#job#2", sk, attributes)

    def print(self, text: bytes = b"made\n") -> None:
        """Write the first chunk of step 0."""
        self.write("C#0000#00000000000000", z={"B": zlib.compress(text)})

    def seal(self, *chunks: OutputChunk) -> None:
        """Store the sealed log."""
        self.watch.stored("logs/job/2.zip", pack(chunks, ()))

    def end(self, outcome: str) -> None:
        """Store the attempt's result."""
        self.watch.stored("results/job/2.json", json.dumps({"outcome": outcome}).encode())


def _sound(logs: Logs) -> None:
    logs.engine.current = Actor("report")
    logs.engine.current.attempt = ATTEMPT
    logs.write("S#0000", k={"N": "1"})
    logs.print()
    logs.watch.acknowledged(ATTEMPT, (LINE,))
    logs.seal(LINE)
    logs.write("S#0000", k={"N": "2"})
    logs.end("failed")
    logs.watch.ended(ATTEMPT)


def k1_a_chunk_that_changes(logs: Logs) -> None:
    logs.print()
    logs.print(b"else\n")


def k1_a_record_that_goes_back(logs: Logs) -> None:
    logs.write("S#0000", k={"N": "2"})
    logs.write("S#0000", k={"N": "1"})


def k1_a_result_that_changes(logs: Logs) -> None:
    logs.end("failed")
    logs.end("succeeded")


def k2_a_line_of_another_attempt(logs: Logs) -> None:
    logs.engine.current = Actor("report")
    logs.engine.current.attempt = ("job", 1)
    logs.print()


def k3_an_end_without_a_sealed_log(logs: Logs) -> None:
    logs.watch.ended(ATTEMPT)


def k4_an_acknowledged_line_that_is_nowhere(logs: Logs) -> None:
    logs.watch.acknowledged(ATTEMPT, (LINE,))


def k4_an_acknowledged_line_that_came_too_late_for_the_seal(logs: Logs) -> None:
    logs.seal()
    logs.print()
    logs.watch.acknowledged(ATTEMPT, (LINE,))


def k4_an_acknowledged_line_that_a_later_seal_drops(logs: Logs) -> None:
    _sound(logs)
    logs.seal()


def _cases() -> Iterator[Any]:
    for name, make in list(globals().items()):
        if name.startswith("k") and name[1].isdigit():
            yield pytest.param(make, name[:2].upper(), id=name)


@pytest.mark.parametrize(("happen", "invariant"), list(_cases()))
def test_what_breaks_a_promise_is_found(happen: Callable[[Logs], None], invariant: str) -> None:
    logs = Logs()

    happen(logs)

    assert {each.invariant for each in logs.history.violations} == {invariant}


def test_a_log_as_it_should_be_is_let_pass() -> None:
    logs = Logs()

    _sound(logs)

    assert logs.history.violations == []
    assert logs.history.results == {ATTEMPT: "failed"}
