"""What the watch judges by itself: versions of items, and what attempts are told."""

from typing import Any

import pytest

from chalicelib.simulation.engine import Engine
from chalicelib.simulation.history import History
from chalicelib.simulation.watch import Watch

JOB = "a" * 16


class Table:
    """A table with one job, and its watch."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.history = History()
        self.watch = Watch(Engine(), self.history, lambda: self.items, default_limit=2)

    def write(self, *, version: int = 2, state: str = "running", fence: int = 1) -> None:
        """Write the job's item."""
        texts = {"pk": f"J#{JOB}", "sk": "S", "st": state, "t": "7", "po": "default", "pl": "p"}
        numbers = {"v": version, "f": fence, "at": 1}
        item = {name: {"S": text} for name, text in texts.items()} | {
            name: {"N": str(number)} for name, number in numbers.items()
        }
        self.items[f"J#{JOB}", "S"] = item
        self.watch.applied("PutItem", {"Item": item})

    def found(self, invariant: str) -> bool:
        """Return whether that one was found broken."""
        return any(each.invariant == invariant for each in self.history.violations)


def test_an_item_that_falls_to_an_older_schema_is_found() -> None:
    table = Table()
    for version in (1, 2, 2):
        table.write(version=version)
    assert not table.found("V1")

    table.write(version=1)

    assert table.found("V1")


@pytest.mark.parametrize(
    ("row", "live"),
    [
        ({"state": "running"}, True),
        ({"state": "cancelling"}, True),
        ({"state": "ready"}, False),
        ({"state": "running", "fence": 2}, False),
    ],
    ids=str,
)
def test_only_a_live_attempt_must_not_be_told_to_stop(row: dict[str, Any], live: bool) -> None:  # noqa: FBT001 - a parameter of the test
    table = Table()
    table.write(**row)
    table.history.violations.clear()

    table.watch.told_lost((JOB, 1))

    assert table.found("L5") is live
