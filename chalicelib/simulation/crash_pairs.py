"""Every two deaths in the life of a pipeline: of one job, and of a chain of three.

The second may be that of the sweeper that repairs the first. A chain has so many pairs that a run of
the tests takes every so many of them; `./berth simulate-queue --crash-pairs` takes all.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from chalicelib.simulation.crashes import run_disturbed

__all__ = ["CHAIN", "ONE_JOB", "FirstDeath", "all_pairs", "second_deaths"]

ONE_JOB = "[a]"
CHAIN = "[a, b: {requires: [a]}, c: {requires: [b]}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstDeath:
    """What came of all pairs that begin with a death at call `first`.

    Attributes:
        first: the number of the call.
        pairs: how many second deaths were tried.
        told: what did not hold.
    """

    first: int
    pairs: int
    told: tuple[str, ...]


def second_deaths(first: int, *, jobs: str, stride: int = 1) -> FirstDeath:
    """Let a second actor die at each call that follows a first death, or at every so many of them.

    Where the stride begins depends on `first`, so that over all of them each distance is tried.
    """
    calls = run_disturbed([first], jobs=jobs).calls
    seconds = range(first + 1 + first % stride, calls + 1, stride)
    told = [
        f"died at {first} and {second}: {violation}"
        for second in seconds
        for violation in run_disturbed([first, second], jobs=jobs).violations
    ]
    return FirstDeath(first=first, pairs=len(seconds), told=tuple(told))


def all_pairs(*, jobs: str, stride: int = 1, processes: int) -> Iterator[FirstDeath]:
    """Yield what comes of the pairs of each first death, in order."""
    calls = run_disturbed([], jobs=jobs).calls
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        search = partial(second_deaths, jobs=jobs, stride=stride)
        yield from pool.map(search, range(1, calls + 1))
