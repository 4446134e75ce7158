"""`berth host plan` and `berth host audit`: what is to be done to a host. Both change nothing."""

from collections.abc import Sequence
from typing import Any

from chalicelib.cli.frame import command_parser, paint, print_json
from chalicelib.cli.host_spec import add_spec_arguments, find_spec
from chalicelib.cli.host_target import add_host_arguments, find_host
from chalicelib.hostspec import Plan, audit
from chalicelib.hostspec.text import plan_text
from chalicelib.local.progress import Progress

__all__ = ["host_audit", "host_plan", "painted"]

_DRIFTED = 1
_COLOURS = {"+": "green", "~": "yellow", "-": "red", "x": "red", "!": "magenta", "o": "grey"}


def host_plan(arguments: Sequence[str]) -> int:
    """Print what an apply would do, with differences line by line; return 0."""
    plan, host, as_json = _look("plan", "Show what an apply would do to a host.", arguments)
    _print(plan, host, as_json=as_json)
    return 0


def host_audit(arguments: Sequence[str]) -> int:
    """Print in what a host differs from its spec; return 1 if it does."""
    told = "Say whether a host is what its spec says: status 0 if it is, 1 if not."
    plan, host, as_json = _look("audit", told, arguments)
    _print(plan, host, as_json=as_json)
    return 0 if plan.empty else _DRIFTED


def _look(name: str, told: str, arguments: Sequence[str]) -> tuple[Plan, str, bool]:
    parser = command_parser(
        f"host {name}",
        f"{told} Nothing is changed.",
        examples=[
            f"./berth host {name} build_host --host root@10.0.0.7",
            f"./berth host {name} my_host.py --host ada@web.example.com --sudo --json",
        ],
    )
    add_spec_arguments(parser)
    add_host_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    asked = parser.parse_args(arguments)
    spec, transport = find_spec(asked), find_host(asked)
    try:
        with Progress().step(f"looking at {transport.host}"):
            plan = audit(spec, transport)
    finally:
        transport.close()
    return plan, transport.host, asked.json


def _print(plan: Plan, host: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(plan, host))
        return
    for line in plan_text(plan, host=host).splitlines():
        print(painted(line))


def painted(line: str) -> str:
    """Return a line of a plan or report in the colour of its sign, on a terminal."""
    sign = line.strip()[:1]
    return paint(line, _COLOURS[sign]) if sign in _COLOURS and line[:1] in f" {sign}" else line


def _document(plan: Plan, host: str) -> dict[str, Any]:
    return {
        "host": host,
        "empty": plan.empty,
        "resources": [
            {
                "name": each.resource.name,
                "operation": each.operation.value,
                "because": list(each.because),
                "differences": [
                    {
                        "field": difference.field,
                        "before": None if difference.before is None else str(difference.before),
                        "after": None if difference.after is None else str(difference.after),
                    }
                    for difference in each.differences
                ],
            }
            for each in plan.changes
        ],
    }
