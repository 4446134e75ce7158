"""`berth simulate-queue`: the product's own code in a world where everything breaks, from seeds.

Whatever it finds is reproduced by its seed at the same commit; the last line says how.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chalicelib.cli.frame import command_parser, paint, print_json, print_table
from chalicelib.local.git import arguments as arguments_of_git
from chalicelib.local.git import environment
from chalicelib.local.git import run as run_git
from chalicelib.local.places import ROOT
from chalicelib.local.progress import Progress
from chalicelib.simulation.crash_pairs import CHAIN, ONE_JOB, all_pairs
from chalicelib.simulation.mutants import MUTANTS
from chalicelib.simulation.mutation import Finding, hunt_all
from chalicelib.simulation.runner import Summary, run_seeds
from chalicelib.simulation.seed import Outcome, run_seed

__all__ = ["simulate_queue"]

_MOST_SHOWN = 10
_FOR_HARMLESS = 25


def simulate_queue(arguments: Sequence[str]) -> int:
    """Run the seeds; return 1 if an invariant was broken."""
    asked = _parser().parse_args(arguments)
    if asked.trace:
        return _trace(asked.first)
    if asked.crash_pairs:
        return _try_crash_pairs(asked.jobs)
    if asked.mutants:
        return _hunt_mutants(asked.seeds, as_json=asked.json)
    seeds = range(asked.first, asked.first + asked.seeds)
    progress = Progress()
    begun = time.monotonic()

    def tell(summary: Summary) -> None:
        rate = summary.seeds / max(0.001, time.monotonic() - begun)
        found = f", {len(summary.violating)} broken" if summary.violating else ""
        progress.detail(f"{summary.seeds} of {len(seeds)}, {rate:.0f} a second{found}")

    with progress.step(f"seeds {seeds[0]} to {seeds[-1]}"):
        summary = run_seeds(seeds, jobs=asked.jobs, progress=tell)
    figures = _figures(summary, time.monotonic() - begun)
    if asked.json:
        print_json(figures)
    else:
        _print(figures, summary)
    return 1 if summary.violating else 0


def _parser() -> argparse.ArgumentParser:
    parser = command_parser(
        "simulate-queue",
        "Run the services over a simulated AWS, GitHub and hosts, in which calls fail, repeat, "
        "lag and stop half-way; check the queue protocol's invariants after every write.",
        examples=[
            "./berth simulate-queue --seeds 1000",
            "./berth simulate-queue --first 4711 --seeds 1 --trace | less",
            "./berth simulate-queue --seeds 100000 --json",
            "./berth simulate-queue --mutants --seeds 2000",
            "./berth simulate-queue --crash-pairs",
        ],
    )
    parser.add_argument("--seeds", type=_positive, default=200, help="how many; default: 200")
    parser.add_argument("--first", type=int, default=1, help="the first of them; default: 1")
    parser.add_argument("--jobs", type=_positive, help="processes; default: one for each core")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--trace", action="store_true", help="print the whole history of the first seed alone"
    )
    parser.add_argument(
        "--mutants",
        action="store_true",
        help="break the protocol in each way there is, and say after how many seeds it is found",
    )
    parser.add_argument(
        "--crash-pairs",
        action="store_true",
        help="kill at every two calls in the life of a job, and of a chain of three",
    )
    return parser


def _try_crash_pairs(processes: int | None) -> int:
    told: list[str] = []
    for jobs in (ONE_JOB, CHAIN):
        progress, pairs = Progress(), 0
        with progress.step(f"deaths at every two calls of {jobs}"):
            for each in all_pairs(jobs=jobs, processes=processes or os.cpu_count() or 1):
                pairs += each.pairs
                told += each.told
                progress.detail(f"{pairs} pairs, {len(told)} broken")
        print(f"{pairs} pairs of {jobs}")
    for line in told[:_MOST_SHOWN]:
        print(line)
    return 1 if told else 0


def _hunt_mutants(seeds: int, *, as_json: bool) -> int:
    progress, findings = Progress(), []
    with progress.step(f"{len(MUTANTS)} mutants, up to {seeds} seeds each"):
        for finding in hunt_all(seeds=seeds, seeds_for_harmless=min(seeds, _FOR_HARMLESS)):
            findings.append(finding)
            progress.detail(f"{len(findings)} of {len(MUTANTS)}")
    harmless = {mutant.name: mutant.harmless for mutant in MUTANTS}
    if as_json:
        print_json([asdict(each) | {"harmless": harmless[each.name]} for each in findings])
    else:
        print_table([_mutant_row(each, harmless[each.name]) for each in findings])
    return 1 if any(bool(each.told) == bool(harmless[each.name]) for each in findings) else 0


def _mutant_row(finding: Finding, harmless: str) -> tuple[str, str, str]:
    if finding.told:
        return finding.name, str(finding.seeds), finding.told.partition(" ")[0]
    return finding.name, "harmless" if harmless else "NOT FOUND", harmless


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _trace(seed: int) -> int:
    outcome = run_seed(seed, keep=True)
    for line in outcome.lines:
        print(line)
    print(f"\nseed {seed}: {outcome.steps} steps, history {outcome.digest[:16]}")
    _print_violations([outcome])
    return 1 if outcome.violations else 0


def _figures(summary: Summary, took_s: float) -> dict[str, Any]:
    return {
        "commit": _commit(),
        "seeds": summary.seeds,
        "steps": summary.steps,
        "writes": summary.writes,
        "faults": dict(sorted(summary.faults.items())),
        "seeds_per_second": round(summary.seeds / took_s, 1),
        "seconds": round(took_s, 1),
        "violations": [
            {"seed": outcome.seed, "told": [str(each) for each in outcome.violations]}
            for outcome in summary.violating
        ],
    }


def _print(figures: dict[str, Any], summary: Summary) -> None:
    faults = summary.faults
    print_table(
        [
            ("commit", figures["commit"] or "unknown"),
            ("seeds", str(summary.seeds)),
            ("steps", f"{summary.steps:,}"),
            ("items written", f"{summary.writes:,}"),
            ("faults", f"{sum(faults.values()):,} of {len(faults)} kinds of operation and fault"),
            ("seeds a second", str(figures["seeds_per_second"])),
            ("broken seeds", str(len(summary.violating))),
        ]
    )
    _print_violations(summary.violating[:_MOST_SHOWN])
    if summary.violating:
        again = f"./berth simulate-queue --first {summary.violating[0].seed} --seeds 1 --trace"
        print(f"\nsee how: {again}")


def _print_violations(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        for violation in outcome.violations[:_MOST_SHOWN]:
            print(paint(f"seed {outcome.seed}: {violation}", "red"))


def _commit() -> str:
    """Return the commit that is checked out, with a plus if files differ from it; empty if none."""
    words = arguments_of_git(ROOT, "describe", "--always", "--abbrev=12", "--dirty=+")
    with tempfile.TemporaryDirectory() as folder:
        done = run_git(words, env=environment(Path(folder)))
    return done.stdout.decode().strip() if done.ok else ""
