"""`berth bench queue`: what a job and a claim cost in units of DynamoDB, naive designs alongside.

Units are exact and the same on any machine. Times are those of the emulator, one Python process that
sorts an index partition anew for each query: they say nothing of DynamoDB, and are given so that
nobody takes them for ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.cli.bench_queue_claims import Race, claim_costs, fill, race
from chalicelib.cli.bench_queue_jobs import JOB_VERBS, Units, units_both_ways
from chalicelib.cli.bench_queue_naive import (
    HEARTBEATS,
    document_units,
    filter_scan_units,
    head_of_lane_waste,
    textbook_units,
)
from chalicelib.cli.bench_table import (
    Cost,
    MeteredConnection,
    create_queue_table,
    temporary_emulator,
)
from chalicelib.cli.frame import command_parser, paint, print_json, print_table
from chalicelib.local.progress import Progress
from chalicelib.queue.dynamodb_table import DynamoTable

__all__ = ["BUDGETS", "bench_queue"]

BUDGETS = {
    "wcu_per_job": 17.0,
    "wcu_heartbeat": 1.0,
    "wcu_backlog_job": 20.0,
    "claim_cost_ratio_1e2_1e5": 1.2,
    "wasted_writes_per_claim_16": 0.3,
}
"""At most; those of the queue protocol."""

_CLAIMERS = 16
_SHORT, _LONG = 100, 100_000
_IDLE, _LOADED = (16, 50), 2_000
_ROUNDS = 4
_RUSH = 10_000
"""Below so long a backlog somebody is in a hurry: then all is measured once."""
_HEADS, _HEAD_CLAIMS = 500, 80


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    """How much is measured."""

    backlog: int
    samples: int

    @property
    def loaded(self) -> int:
        """Jobs of the lane that is not emptied."""
        return min(_LOADED, self.backlog)

    @property
    def rounds(self) -> int:
        """How often a short lane is emptied."""
        return _ROUNDS if self.backlog >= _RUSH else 1


def bench_queue(arguments: Sequence[str]) -> int:
    """Measure what the queue costs, and print it beside its budgets."""
    parser = command_parser(
        "bench queue",
        "Measure what a job and a claim cost in DynamoDB's units, with naive designs alongside, on "
        "an emulator of its own. Takes about two minutes; --backlog makes it shorter.",
        examples=["./berth bench queue", "./berth bench queue --backlog 5000 --json"],
    )
    parser.add_argument(
        "--backlog", type=int, default=_LONG, help=f"jobs of the long lane; default: {_LONG}"
    )
    parser.add_argument("--samples", type=int, default=10, help="claims measured; default: 10")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args(arguments)
    if asked.backlog < _SHORT or not 1 <= asked.samples <= _SHORT // 2:
        parser.error(f"--backlog is at least {_SHORT}, and --samples 1 to {_SHORT // 2}")

    size = _Size(backlog=asked.backlog, samples=asked.samples)
    progress = Progress()
    with temporary_emulator() as emulator:
        connection = MeteredConnection(emulator.url)
        figures = {
            "backlog": size.backlog,
            **_job_figures(connection, progress),
            **_claim_figures(connection, size, progress),
            "naive": _naive_figures(connection, size, progress),
        }
    if asked.json:
        print_json(figures)
    else:
        _print(figures)
    return 0


def _job_figures(connection: MeteredConnection, progress: Progress) -> dict[str, Any]:
    with progress.step("one job, by the emulator's account and by ours"):
        steps, by_ours = units_both_ways(connection)
    return {
        "wcu_per_job": _sum(steps, JOB_VERBS),
        "wcu_per_job_by_units_py": _sum(by_ours, JOB_VERBS),
        "wcu_heartbeat": steps["heartbeat"],
        "wcu_backlog_job": _sum(steps, [f"backlog_{verb}" for verb in (*JOB_VERBS, "promote")]),
        "wcu_per_pipeline": _sum(steps, [name for name in steps if name.startswith("pipeline_")]),
        "wcu_by_step": dict(steps),
    }


def _claim_figures(
    connection: MeteredConnection, size: _Size, progress: Progress
) -> dict[str, Any]:
    table = DynamoTable(create_queue_table(connection, "berth-claims"), connection=connection)
    costs = {}
    for name, jobs in (("short", _SHORT), ("long", size.backlog)):
        with progress.step(f"a lane of {jobs:,} jobs is filled"):
            fill(table, pool=name, jobs=jobs)
        with progress.step(f"{size.samples} claims of a lane of {jobs:,}"):
            costs[name] = claim_costs(connection, table, pool=name, samples=size.samples)
    short, long = costs["short"], costs["long"]
    races = {f"lane_of_{jobs}": _idle(connection, jobs, size.rounds, progress) for jobs in _IDLE}
    with progress.step(f"{_CLAIMERS} claimers at once at a lane of {size.loaded:,}"):
        loaded = _race(connection, "loaded", jobs=size.loaded, claims=size.loaded // 5)
    races[f"lane_of_{size.loaded}"] = loaded
    return {
        "claim_requests": long.requests,
        "claim_units_1e2": short.units,
        "claim_units_1e5": long.units,
        "claim_cost_ratio_1e2_1e5": long.units / short.units,
        "claim_ms_1e2": short.time_ms,
        "claim_ms_1e5": long.time_ms,
        "claim_time_ratio_1e2_1e5": long.time_ms / short.time_ms,
        # Of the long lane: in one as short as the claimers are many, they cannot but meet.
        "wasted_writes_per_claim_16": loaded.wasted_writes,
        "wasted_writes_by_lane": {lane: each.wasted_writes for lane, each in races.items()},
        "wasted_units_by_lane": {lane: each.wasted_units for lane, each in races.items()},
        "overlaps_per_claim_by_lane": {lane: each.overlaps for lane, each in races.items()},
        "claims_per_s": loaded.claims / loaded.time_s,
    }


def _idle(connection: MeteredConnection, jobs: int, rounds: int, progress: Progress) -> Race:
    """Return what it takes to empty a short lane, several times."""
    with progress.step(f"{_CLAIMERS} claimers at once at a lane of {jobs}, {rounds} times"):
        races = [
            _race(connection, f"idle-{jobs}-{number}", jobs=jobs, claims=jobs)
            for number in range(rounds)
        ]
    return Race(
        claims=sum(each.claims for each in races),
        cost=sum((each.cost for each in races), Cost()),
        time_s=sum(each.time_s for each in races),
    )


def _race(connection: MeteredConnection, name: str, *, jobs: int, claims: int) -> Race:
    made = MeteredConnection(connection.host or "")
    table = DynamoTable(create_queue_table(made, f"berth-{name}"), connection=made)
    fill(table, pool=name, jobs=jobs)
    return race(made, table, pool=name, claimers=_CLAIMERS, claims=claims)


def _naive_figures(
    connection: MeteredConnection, size: _Size, progress: Progress
) -> dict[str, float]:
    with progress.step("one job of the textbook's design, and of the single document"):
        textbook, document = textbook_units(connection), document_units(connection)
    with progress.step(f"a filtered look past {_SHORT} and past {size.backlog:,} jobs"):
        near = filter_scan_units(connection, backlog=_SHORT)
        far = filter_scan_units(connection, backlog=size.backlog)
    with progress.step(f"{_CLAIMERS} claimers at once, all at the head of the lane"):
        wasted, _ = head_of_lane_waste(
            connection, backlog=_HEADS, claimers=_CLAIMERS, claims=_HEAD_CLAIMS
        )
    return {
        "textbook_wcu_per_job": sum(textbook.values()),
        "textbook_wcu_heartbeats": textbook["heartbeats"],
        "document_wcu_per_job": sum(document.values()),
        "document_wcu_heartbeats": document["heartbeats"],
        "filter_scan_rru_1e2": near,
        "filter_scan_rru_1e5": far,
        "filter_scan_cost_ratio_1e2_1e5": far / near,
        "head_of_lane_wasted_writes_per_claim_16": wasted,
    }


def _sum(steps: Units, names: Sequence[str]) -> float:
    return sum(steps[name] for name in names)


def _print(figures: Mapping[str, Any]) -> None:
    naive = figures["naive"]
    print("write units of DynamoDB, by the emulator's account\n")
    beats = HEARTBEATS * figures["wcu_heartbeat"]
    print_table(
        [
            _row(figures, "wcu_per_job", "a job: admit, claim with a host slot, bind, finish"),
            ("  by our own account, which agrees", f"{figures['wcu_per_job_by_units_py']:.0f}", ""),
            _row(figures, "wcu_heartbeat", "a heartbeat"),
            _row(figures, "wcu_backlog_job", "a job that waits in its tenant's backlog"),
            ("the pipeline around it", f"{figures['wcu_per_pipeline']:.0f}", ""),
            (f"a job with {HEARTBEATS} heartbeats", f"{figures['wcu_per_job'] + beats:.0f}", ""),
            ("  the same by the textbook", f"{naive['textbook_wcu_per_job']:.0f}", ""),
            ("  the same as one document", f"{naive['document_wcu_per_job']:.0f}", ""),
        ]
    )
    _print_claims(figures)
    _print_races(figures)


def _print_claims(figures: Mapping[str, Any]) -> None:
    print(f"\none claim, with {_SHORT} and with {figures['backlog']:,} jobs in the lane\n")
    units = f"{figures['claim_units_1e2']:.1f}, {figures['claim_units_1e5']:.1f}"
    times = f"{figures['claim_ms_1e2']:.0f} ms, {figures['claim_ms_1e5']:.0f} ms"
    scan = figures["naive"]["filter_scan_cost_ratio_1e2_1e5"]
    print_table(
        [
            ("requests", f"{figures['claim_requests']:.0f}", ""),
            ("read and write units", units, ""),
            _row(figures, "claim_cost_ratio_1e2_1e5", "  ratio"),
            ("  ratio of a filtered look", f"{scan:.0f}", ""),
            ("time", times, "the emulator sorts the whole lane for each query"),
        ]
    )


def _print_races(figures: Mapping[str, Any]) -> None:
    print(f"\n{_CLAIMERS} claimers at once\n")
    units = figures["wasted_units_by_lane"]
    wasted = [
        (
            f"wasted writes a claim, {name.replace('_', ' ')}",
            f"{writes:.2f}",
            f"{units[name]:.2f} units",
        )
        for name, writes in figures["wasted_writes_by_lane"].items()
    ]
    overlaps = [
        (f"transactions in each other's way, {name.replace('_', ' ')}", f"{each:.2f}", "")
        for name, each in figures["overlaps_per_claim_by_lane"].items()
    ]
    heads = figures["naive"]["head_of_lane_wasted_writes_per_claim_16"]
    rate = f"{figures['claims_per_s']:.0f}"
    print_table(
        [
            *wasted,
            _row(figures, "wasted_writes_per_claim_16", "  in the longest lane"),
            ("  when all take the head", f"{heads:.2f}", ""),
            *overlaps,
            ("claims a second", rate, "the emulator's, not DynamoDB's"),
        ]
    )


def _row(figures: Mapping[str, Any], name: str, told: str) -> tuple[str, str, str]:
    value, most = figures[name], BUDGETS[name]
    shown = f"{value:.0f}" if value == int(value) else f"{value:.2f}"
    colour = "green" if value <= most else "red"
    return told, shown, paint(f"at most {most:g}", colour)
