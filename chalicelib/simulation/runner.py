"""Many seeds on many processes, and the sum of what came of them."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context

from chalicelib.simulation.seed import Outcome, run_seed

__all__ = ["Summary", "run_seeds"]

_AT_ONCE = 10
"""Seeds that a process is given: some tenths of a second of work, so that news come often."""
_AHEAD = 3


@dataclass(slots=True)
class Summary:
    """The sums over all seeds; `violating` has the outcome of each seed that broke an invariant."""

    seeds: int = 0
    steps: int = 0
    writes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    violating: list[Outcome] = field(default_factory=list)
    digests: dict[int, str] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """Count one seed in."""
        self.seeds += 1
        self.steps += outcome.steps
        self.writes += outcome.writes
        self.faults.update(outcome.fired)
        self.digests[outcome.seed] = outcome.digest
        if outcome.violations:
            self.violating.append(outcome)


def run_seeds(
    seeds: Sequence[int],
    *,
    jobs: int | None = None,
    progress: Callable[[Summary], object] = lambda _: None,
    until_violation: bool = False,
) -> Summary:
    """Run the seeds and return the sums.

    Args:
        seeds: which.
        jobs: how many processes; default: one for each core. One runs in this process.
        progress: told of the sums so far, again and again.
        until_violation: stop soon after the first.
    """
    summary = Summary()
    pages = _paged(seeds)
    workers = min(jobs or os.cpu_count() or 1, len(seeds))
    outcomes = map(_run_page, pages) if workers <= 1 else _spread(pages, workers)
    for page in outcomes:
        for outcome in page:
            summary.add(outcome)
        progress(summary)
        if summary.violating and until_violation:
            break
    summary.violating.sort(key=lambda outcome: outcome.seed)
    return summary


def _paged(seeds: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(seeds), _AT_ONCE):
        yield seeds[start : start + _AT_ONCE]


def _run_page(seeds: Sequence[int]) -> list[Outcome]:
    return [run_seed(seed) for seed in seeds]


def _spread(pages: Iterator[Sequence[int]], workers: int) -> Iterator[list[Outcome]]:
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        pending: set[Future[list[Outcome]]] = set()
        while True:
            for page in islice(pages, workers * _AHEAD - len(pending)):
                pending.add(pool.submit(_run_page, page))
            if not pending:
                return
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)
