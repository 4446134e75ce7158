"""The fixed thousand: what every change has to pass."""

import pytest

from chalicelib.simulation.faults import MENU
from chalicelib.simulation.runner import Summary, run_seeds

_SEEDS = range(1, 1001)


@pytest.fixture(scope="module")
def thousand() -> Summary:
    """What a thousand seeds came to, on two processes."""
    return run_seeds(_SEEDS, jobs=2)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_no_invariant_breaks_in_a_thousand_seeds(thousand: Summary) -> None:
    """On a failure: `./berth simulate-queue --first SEED --seeds 1 --trace`."""
    told = [f"seed {each.seed}: {each.violations[0]}" for each in thousand.violating]

    assert told == []
    assert thousand.seeds == len(_SEEDS)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_fault_that_is_meant_to_happen_did(thousand: Summary) -> None:
    """A fault that never fires proves nothing."""
    meant = {f"{operation}: {kind}" for operation, kinds in MENU.items() for kind in kinds}

    assert meant - thousand.faults.keys() == set()


def test_processes_do_not_change_what_seeds_come_to() -> None:
    alone, spread = (run_seeds(range(50, 62), jobs=jobs) for jobs in (1, 2))

    assert alone.digests == spread.digests
    assert alone.faults == spread.faults


def test_progress_is_told_on_the_way() -> None:
    told: list[int] = []

    run_seeds(range(1, 21), jobs=1, progress=lambda summary: told.append(summary.seeds))

    assert told == [10, 20]
