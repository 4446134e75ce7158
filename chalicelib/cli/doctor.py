"""`berth doctor`: say what this machine lacks for the local stack, and the cure."""

from collections.abc import Sequence
from dataclasses import asdict, replace

from chalicelib.cli.frame import command_parser, paint, print_json
from chalicelib.fleet.machine import read_health, read_room
from chalicelib.local.diagnosis import Finding, examine
from chalicelib.local.places import Places

__all__ = ["doctor"]

_MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}


def doctor(arguments: Sequence[str]) -> int:
    """Print each finding with its cure. 0 unless something would stop the stack."""
    parser = command_parser(
        "doctor",
        "Look whether this machine can run the local stack. Nothing is changed. The exit status "
        "is 1 when something would stop it.",
        examples=["./berth doctor", "./berth doctor --json"],
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    places = Places.from_environment()
    findings = (*examine(places), _health(places))
    if options.json:
        print_json([asdict(finding) for finding in findings])
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            print(f"{paint(*_MARKS[finding.level])} {finding.name.ljust(width)}  {finding.text}")
            if finding.cure:
                print(f"  {' ' * width}  cure: {finding.cure}")
    return 1 if any(finding.level == "fail" for finding in findings) else 0


def _health(places: Places) -> Finding:
    """Return how this machine is as a host: by the values that a lost attempt's reason goes by."""
    folder = places.home
    while not folder.exists():
        folder = folder.parent
    health = replace(read_health(), rooms=(read_room(folder, "the stack's files"),))
    wrong = health.sentence()
    return Finding(
        name="as a host",
        level="warn" if wrong else "ok",
        text=wrong or f"load {health.load:.1f} per core, room for files",
        cure="make room, or end what else runs" if wrong else "",
    )
