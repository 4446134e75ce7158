"""`berth host apply`: makes a host what its spec says, and tells of each resource as it happens."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from chalicelib.cli.frame import command_parser, print_json
from chalicelib.cli.host_look import painted
from chalicelib.cli.host_spec import add_spec_arguments, find_spec
from chalicelib.cli.host_target import add_host_arguments, find_host, who
from chalicelib.hostspec import Report, ResourceOutcome, apply
from chalicelib.hostspec.text import outcome_text, report_text
from chalicelib.local.progress import Progress

__all__ = ["host_apply"]

_FAILED = 1


def host_apply(arguments: Sequence[str]) -> int:
    """Apply, and print what became of each resource; return 1 if one failed."""
    parser = command_parser(
        "host apply",
        "Make a host what its spec says. What is as it should be is not touched. Safe to repeat,\n"
        "and to run again after it was interrupted.",
        examples=[
            "./berth host apply build_host --host root@10.0.0.7",
            "./berth host apply my_host.py --host lxd:web --set domain=example.com --wait 60",
        ],
    )
    add_spec_arguments(parser)
    add_host_arguments(parser)
    parser.add_argument(
        "--wait", type=float, default=0, metavar="SECONDS", help="wait for another apply to end"
    )
    parser.add_argument(
        "--limit", type=float, default=1800, metavar="SECONDS", help="default: 1800"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args(arguments)
    spec, transport = find_spec(asked), find_host(asked)
    progress = Progress()

    def tell(told: ResourceOutcome) -> None:
        progress.detail(told.name)
        if not asked.json:
            print(painted(outcome_text(told)), flush=True)

    try:
        with progress.step(f"applying {len(spec.resources)} resources to {transport.host}"):
            report = apply(
                spec,
                transport,
                on_outcome=tell,
                limit=timedelta(seconds=asked.limit),
                lock_wait=timedelta(seconds=asked.wait),
                owner=who(),
            )
    finally:
        transport.close()
    _print(report, as_json=asked.json)
    return 0 if report.ok else _FAILED


def _print(report: Report, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(report))
    else:
        print(report_text(report).splitlines()[-1])


def _document(report: Report) -> dict[str, Any]:
    return {
        "host": report.host,
        "ok": report.ok,
        "changed": report.changed,
        "elapsed_s": round(report.elapsed.total_seconds(), 3),
        "resources": [
            {
                "name": each.name,
                "operation": each.operation.value,
                "outcome": each.outcome.value,
                "elapsed_s": round(each.elapsed.total_seconds(), 3),
                "because": list(each.because),
                "command": each.command,
                "exit_status": each.exit_status,
                "tail": each.tail,
            }
            for each in report.outcomes
        ],
    }
