"""`berth logs`: what functions and supervisors have logged, merged by time."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from chalicelib.cli.frame import command_parser, paint
from chalicelib.clock import SystemClock
from chalicelib.local.log_lines import LogLine, read_lines
from chalicelib.local.places import Places
from chalicelib.local.progress import Progress
from chalicelib.local.stack import Stack
from chalicelib.wait import WaitPolicy

__all__ = ["line_of", "logs"]

_LINES = WaitPolicy(name="an interrupt", tries=None)
_OVERLAP = timedelta(seconds=5)
"""How far back a follower looks again: a line may arrive after a later one of another function."""
_LEVELS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}
_SHOWN_ELSEWHERE = {
    "timestamp",
    "level",
    "message",
    "service",
    "location",
    "exception",
    "stack_trace",
}
_LONG = 400


def logs(arguments: Sequence[str]) -> int:
    """Print log lines; with `-f` until interrupted."""
    parser = command_parser(
        "logs",
        "Print what the functions and the supervisors have logged, by time.",
        examples=[
            "./berth logs",
            "./berth logs -f --job 37zz3c7doiv2cwul",
            "./berth logs --json | jq .",
        ],
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on with new lines")
    parser.add_argument("--job", help="only lines of this job, or of the pipeline of this id")
    parser.add_argument("--minutes", type=float, default=60, help="how far back; default: 60")
    parser.add_argument("--json", action="store_true", help="print each line as JSON")
    asked = parser.parse_args(arguments)

    stack = Stack(Places.from_environment(), Progress())
    stack.deployment()  # says how to bring the stack up, when it is down
    clock = SystemClock()
    since = clock.now() - timedelta(minutes=asked.minutes)
    seen: set[str] = set()

    def over() -> bool:
        nonlocal since
        lines = read_lines(stack.session, stack.places.host, since=since)
        for line in lines:
            _print_new(line, seen, job=asked.job, as_json=asked.json)
        since = max(since, clock.now() - _OVERLAP)
        return not asked.follow

    _LINES.wait(over, clock=clock)
    return 0


def _print_new(line: LogLine, seen: set[str], *, job: str | None, as_json: bool) -> None:
    raw = json.dumps({**line.fields, "source": line.source}, sort_keys=True, default=str)
    if raw in seen or (job and job not in raw):
        return
    seen.add(raw)
    print(raw if as_json else line_of(line.moment, line.source, dict(line.fields)), flush=True)


def line_of(moment: datetime, source: str, fields: dict[str, Any]) -> str:
    """Return a line for people: time, where, what, then the rest as `name=value`."""
    level = str(fields.get("level", "INFO"))
    text = str(fields.get("message", ""))
    rest = " ".join(
        f"{name}={_short(value)}"
        for name, value in fields.items()
        if name not in _SHOWN_ELSEWHERE and value not in ("", None, [], {})
    )
    when = moment.astimezone().strftime("%H:%M:%S.%f")[:-3]
    painted = paint(text, _LEVELS[level]) if level in _LEVELS else text
    line = f"{paint(when, 'grey')} {source:<16} {painted} {paint(rest, 'grey')}".rstrip()
    trace = str(fields.get("exception", "")).strip()
    return f"{line}\n{trace}" if trace else line


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _LONG else text[:_LONG] + "…"
