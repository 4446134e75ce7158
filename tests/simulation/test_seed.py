"""A seed is a whole history: it gives the same one always and everywhere."""

import os
import subprocess
import sys

import pytest

from chalicelib.simulation.seed import run_seed

_SEEDS = (3, 7, 20)
_IN_A_PROCESS = """
from chalicelib.simulation.seed import run_seed
print(*[run_seed(seed).digest for seed in {seeds}])
"""


@pytest.mark.parametrize("seed", _SEEDS)
def test_a_seed_gives_the_same_history_again(seed: int) -> None:
    first, second = run_seed(seed), run_seed(seed)

    assert first.digest == second.digest
    assert first.fired == second.fired


@pytest.mark.parametrize("hash_seed", ["0", "1", "4711"])
def test_a_seed_gives_the_same_history_in_another_process(hash_seed: str) -> None:
    """Python's sets of text have another order in each process."""
    done = subprocess.run(
        [sys.executable, "-c", _IN_A_PROCESS.format(seeds=_SEEDS)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == [run_seed(seed).digest for seed in _SEEDS]


def test_seeds_differ() -> None:
    assert len({run_seed(seed).digest for seed in range(1, 6)}) == 5


def test_a_trace_says_when_who_and_what() -> None:
    outcome = run_seed(3, keep=True)

    assert len(outcome.lines) == outcome.steps
    assert any("sweep" in line and "UpdateItem C#sweep" in line for line in outcome.lines)


def test_keeping_the_trace_changes_nothing() -> None:
    assert run_seed(3, keep=True).digest == run_seed(3).digest
