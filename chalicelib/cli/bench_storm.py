"""`berth bench storm`: a flood of deliveries, then the queue that it leaves, through the real services.

At CircleCI in July 2015 a flood of webhooks filled a queue whose dequeue took longer the longer it
was, until it took more than the hosts brought in. Here nothing may be lost, and a dequeue has to take
as many units with all of the flood waiting as with little of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.cli.bench_storm_deliveries import Storm
from chalicelib.cli.bench_storm_run import StormRun
from chalicelib.cli.bench_table import temporary_emulator
from chalicelib.cli.frame import command_parser, paint, print_json, print_table
from chalicelib.local.progress import Progress

__all__ = ["bench_storm"]

_DELIVERIES = 100_000
_FEWEST = 500
_CHECKS = ("lost", "unexpected", "duplicated")


def bench_storm(arguments: Sequence[str]) -> int:
    """Let a storm of deliveries come in, and work it off; return 1 when anything was lost."""
    parser = command_parser(
        "bench storm",
        "Send a flood of signed deliveries, 30 % of them repeats, through the real intake, planner, "
        "queue and finish, on an emulator of its own, and count what comes out. The default takes "
        "one to two hours, nearly all of it the emulator's; 5,000 deliveries take some minutes.",
        examples=[
            "./berth bench storm --deliveries 5000",
            "./berth bench storm --deliveries 5000 --finish 350 --json",
        ],
    )
    parser.add_argument(
        "--deliveries", type=int, default=_DELIVERIES, help=f"default: {_DELIVERIES}"
    )
    parser.add_argument("--finish", type=int, help="jobs to finish; default: all")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args(arguments)
    storm = Storm(deliveries=asked.deliveries)
    finish = storm.pushes if asked.finish is None else asked.finish
    if asked.deliveries < _FEWEST or not _FEWEST // 10 <= finish <= storm.pushes:
        parser.error(
            f"--deliveries is at least {_FEWEST}, --finish {_FEWEST // 10} to 70 % of them"
        )

    with temporary_emulator() as emulator:
        figures = StormRun(storm, emulator, finish=finish).figures(Progress())
    if asked.json:
        print_json(figures)
    else:
        _print(figures)
    return 0 if figures["conserved"] else 1


def _print(figures: Mapping[str, Any]) -> None:
    first, last = figures["dequeues_per_s_first_tenth"], figures["dequeues_per_s_last_tenth"]
    early, late = figures["dequeue_cpu_ms_first_tenth"], figures["dequeue_cpu_ms_last_tenth"]
    print_table(
        [
            ("deliveries", f"{figures['deliveries']:,}"),
            ("  accepted", f"{figures['accepted']:,} of {figures['pushes']:,} pushes"),
            ("  duplicates", f"{figures['duplicates']:,}"),
            ("  a second", f"{figures['deliveries_per_s']:.0f}, the emulator's"),
            *(_conserved(figures, what) for what in ("pipelines", "jobs")),
            ("jobs finished", f"{figures['jobs_finished']:,}"),
            ("  a second, of the first tenth", f"{first:.1f}, the emulator's"),
            (
                "  a second, of the last tenth",
                f"{last:.1f}, {figures['dequeue_rate_ratio']:.2f} times as many",
            ),
            ("  processor time, of the first tenth", f"{early:.1f} ms each"),
            (
                "  processor time, of the last tenth",
                f"{late:.1f} ms, {figures['dequeue_cpu_ratio']:.2f} times",
            ),
            ("units of a dequeue", ""),
            ("  with a tenth waiting", f"{figures['units_per_dequeue_tenth_waiting']:g}"),
            ("  with all waiting", f"{figures['units_per_dequeue_all_waiting']:g}"),
            ("  before the last tenth", f"{figures['units_per_dequeue_last']:g}"),
        ]
    )
    if not figures["conserved"]:
        print(paint("\nwhat came out is not what went in", "red"))


def _conserved(figures: Mapping[str, Any], what: str) -> tuple[str, str]:
    counts = ", ".join(str(figures[what][check]) for check in _CHECKS)
    return f"{what} {', '.join(_CHECKS)}", counts
