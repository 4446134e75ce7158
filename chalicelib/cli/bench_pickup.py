"""`berth bench pickup`: from webhook to first output, hop by hop, beside what LXD alone costs.

Medians over many builds, one after another, from an idle stack. The floor (copy, start, first exec
of a golden container by LXD's own client) is taken between the builds, so that both see the same
machine. Nothing here asserts a time: the machine is shared.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from chalicelib.cli.build import push_payload
from chalicelib.cli.client import Client
from chalicelib.cli.frame import command_parser, print_json, print_table
from chalicelib.clock import SteadyClock, from_ms
from chalicelib.errors import LocalStackError, NotReadyError
from chalicelib.fleet.slots import golden_name
from chalicelib.local.places import Places
from chalicelib.local.progress import Progress
from chalicelib.local.repositories import ImportedRepository, import_repository
from chalicelib.shell import command
from chalicelib.transport import LocalTransport
from chalicelib.wait import WaitPolicy

__all__ = ["Pickup", "bench_pickup", "hops_of", "percentile"]

_CONFIG = """\
version: 2.1
jobs:
  build:
    steps:
      - checkout
      - run: echo picked up
"""
T = TypeVar("T")
_POLL = timedelta(milliseconds=10)
_LIMIT = timedelta(minutes=1)
_OUTPUT_VISIBLE = WaitPolicy(name="output", sleep=_POLL, timeout=_LIMIT)
_PIPELINE_ENDED = WaitPolicy(name="end", sleep=_POLL, timeout=_LIMIT)
_BUDGET = {"p50_s": 2.0, "p95_s": 3.5}
_HOPS = ("received", "admitted", "claimed", "dispatched", "bound", "started")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pickup:
    """One build: seconds from POST to first visible output, and milliseconds of each hop."""

    total_s: float
    hops_ms: Mapping[str, float]


def bench_pickup(arguments: Sequence[str]) -> int:
    """Run builds one after another, and print medians of their hops."""
    parser = command_parser(
        "bench pickup",
        "Measure from webhook to first output of the first step, hop by hop.",
        examples=["./berth bench pickup", "./berth bench pickup --builds 50 --json"],
    )
    parser.add_argument("--builds", type=int, default=20, help="default: 20")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args(arguments)

    from chalicelib.cli.session import open_session

    places, progress = Places.from_environment(), Progress()
    client = open_session(places, progress)
    imported = _repository(places)
    _pick_up(client, places, imported)  # the first fills caches that an idle stack has filled
    pickups, floors = [], []
    with progress.step(f"{asked.builds} builds, one after another"):
        for number in range(asked.builds):
            progress.detail(f"{number + 1} of {asked.builds}")
            pickups.append(_pick_up(client, places, imported))
            floors.append(_floor(places))
    _print(pickups, floors, as_json=asked.json)
    return 0


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of the values do not exceed.

    >>> percentile([4, 1, 3, 2], 0.5), percentile([4, 1, 3, 2], 0.95)
    (2, 4)
    """
    ordered = sorted(values)
    return ordered[max(0, -(-int(len(ordered) * share * 100) // 100) - 1)]


def hops_of(
    posted: datetime, visible: datetime, moments: Mapping[str, datetime]
) -> dict[str, float]:
    """Return milliseconds between neighbouring moments, from the POST to the visible output.

    >>> from datetime import UTC
    >>> start = datetime(2026, 1, 1, tzinfo=UTC)
    >>> hops_of(start, start.replace(second=2), {"received": start.replace(second=1)})
    {'posted to received': 1000.0, 'received to visible': 1000.0}
    """
    points = [("posted", posted)]
    points += [(name, moments[name]) for name in _HOPS if name in moments]
    points.append(("visible", visible))
    return {
        f"{before} to {after}": round((until - since).total_seconds() * 1000, 1)
        for (before, since), (after, until) in pairwise(points)
    }


def _repository(places: Places) -> ImportedRepository:
    with tempfile.TemporaryDirectory(prefix="berth-bench-") as folder:
        path = Path(folder) / "pickup" / ".circleci"
        path.mkdir(parents=True)
        (path / "config.yml").write_text(_CONFIG)
        return import_repository(path.parent, places.repositories)


def _pick_up(client: Client, places: Places, imported: ImportedRepository) -> Pickup:
    rerun = time.time_ns() // 1_000_000
    payload = push_payload(imported, places=places, job=None, rerun=rerun)
    posted = time.time()  # noqa: TID251 - a benchmark measures time
    pipeline = client.deliver("push", payload)["pipeline"]
    first_start_ms = _wait_output(client, pipeline)
    visible = time.time()  # noqa: TID251 - a benchmark measures time
    shown = _wait_end(client, pipeline)
    moments = {"received": datetime.fromisoformat(shown["received_at"])}
    for name, moment in shown["jobs"][0]["hops"].items():
        moments[name] = datetime.fromisoformat(moment)
    moments["started"] = from_ms(first_start_ms)
    hops = hops_of(from_ms(round(posted * 1000)), from_ms(round(visible * 1000)), moments)
    return Pickup(total_s=visible - posted, hops_ms=hops)


def _wait_output(client: Client, pipeline: str) -> int:
    """Return when the first step started, in Unix milliseconds, once its first output is visible."""

    def first_start_ms() -> int:
        for job in client.pipeline(pipeline)["jobs"]:
            page = client.log(job["id"]) if job.get("fence") else None
            if page is not None and page.chunks and page.steps:
                return int(page.steps[0]["started_at_ms"])
        return 0

    return _wait(_OUTPUT_VISIBLE, first_start_ms)


def _wait_end(client: Client, pipeline: str) -> dict[str, Any]:
    def ended_pipeline() -> dict[str, Any]:
        shown = client.pipeline(pipeline)
        return shown if shown["state"] == "ended" else {}

    return _wait(_PIPELINE_ENDED, ended_pipeline)


def _wait(policy: WaitPolicy, f: Callable[[], T]) -> T:
    try:
        return policy.wait(f, clock=SteadyClock())
    except NotReadyError as error:
        raise LocalStackError(
            reason=f"no {policy.name} within {_LIMIT.total_seconds():.0f} s",
            cure="./berth logs says why",
        ) from error


def _floor(places: Places) -> float:
    """Return the seconds that LXD's own client takes to copy, start and first exec."""
    inherited = os.environ  # noqa: TID251 - handed on as it is: the client's settings, its PATH
    machine = LocalTransport(environment=inherited)
    lxc = ("lxc", "--project", places.lxd_project)
    name = "berth-floor"
    started = time.monotonic()
    for words in (
        ["copy", golden_name(places.lxd_project, "base", 0), name],
        ["start", name],
        ["exec", name, "--", "true"],
    ):
        machine.run(command(lxc, words))
    taken = time.monotonic() - started
    machine.run(command(lxc, "delete", "--force", name))
    return taken


def _print(pickups: Sequence[Pickup], floors: Sequence[float], *, as_json: bool) -> None:
    totals = [pickup.total_s for pickup in pickups]
    hops = {
        name: round(statistics.median(pickup.hops_ms.get(name, 0.0) for pickup in pickups), 1)
        for name in pickups[0].hops_ms
    }
    figures = {
        "p50_s": round(percentile(totals, 0.5), 3),
        "p95_s": round(percentile(totals, 0.95), 3),
        "floor_p50_s": round(statistics.median(floors), 3),
        "hops_ms": hops,
    }
    if as_json:
        print_json(figures)
        return
    rows = [(name, f"{value:8.1f} ms") for name, value in hops.items()]
    print(f"webhook to first output of the first step, {len(pickups)} builds\n")
    print_table([*rows, ("", "")])
    for name, limit in _BUDGET.items():
        print(f"{name[:3]}    {figures[name]:.2f} s   budget {limit:.1f} s")
    p50, floor = percentile(totals, 0.5), statistics.median(floors)
    print(f"floor  {floor:.2f} s   lxc copy, start, exec; p50 is {p50 / floor:.1f} times that")
