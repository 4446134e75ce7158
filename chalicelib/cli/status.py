"""`berth status`: say what runs and where."""

from collections.abc import Sequence
from dataclasses import asdict

from chalicelib.cli.frame import command_parser, paint, print_json, print_table
from chalicelib.local.places import Places
from chalicelib.local.progress import Progress
from chalicelib.local.stack import Stack

__all__ = ["status"]

_COLOURS = {"up": "green", "stale": "yellow", "down": "red"}


def status(arguments: Sequence[str]) -> int:
    """Print how each part is. 0 when all are up, 1 otherwise."""
    parser = command_parser(
        "status",
        "Say what of the local stack runs, and where. The exit status is 0 when all of it does.",
        examples=["./berth status", "./berth status --json"],
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    stack = Stack(Places.from_environment(), Progress())
    parts = stack.parts()
    running = all(part.state == "up" for part in parts)
    if options.json:
        print_json(
            {"up": running, "url": stack.places.url, "parts": [asdict(part) for part in parts]}
        )
    else:
        print_table(
            [
                (
                    part.name,
                    paint(part.state, _COLOURS[part.state]),
                    f"pid {part.pid}, {part.memory_mib} MiB" if part.pid else "",
                    part.where,
                )
                for part in parts
            ]
        )
    return 0 if running else 1
