"""The lines that functions and supervisors have logged, from wherever they are, in order of time.

Functions log to CloudWatch Logs, as in AWS; supervisors to files of their host. Both write JSON, one
object a line.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chalicelib.clock import from_ms, to_ms
from chalicelib.local.deploy import AwsSession

__all__ = ["LogLine", "read_lines"]

_GROUPS = "/aws/lambda/"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line.

    Attributes:
        moment: when it was written, as it says itself.
        source: the function's name, or `supervisor`.
        fields: the line's JSON; a line that is no JSON is its `message`.
    """

    moment: datetime
    source: str
    fields: Mapping[str, Any]


def read_lines(session: AwsSession, host_state: Path, *, since: datetime) -> list[LogLine]:
    """Return the lines written since then, by time."""
    found = [*_of_functions(session, since), *_of_supervisors(host_state, since)]
    return sorted(found, key=lambda line: line.moment)


def _of_functions(session: AwsSession, since: datetime) -> Iterator[LogLine]:
    client = session.client("logs")
    for page in client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=_GROUPS):
        for group in page["logGroups"]:
            name = group["logGroupName"]
            events = client.get_paginator("filter_log_events").paginate(
                logGroupName=name, startTime=to_ms(since)
            )
            source = name.removeprefix(_GROUPS).split("-")[1]
            for part in events:
                for event in part["events"]:
                    line = _line(event["message"], source, from_ms(event["timestamp"]))
                    if line is not None and line.moment >= since:
                        yield line


def _of_supervisors(host_state: Path, since: datetime) -> Iterator[LogLine]:
    files = [*host_state.glob("logs/*.log"), *host_state.glob("attempts/*/supervisor.log")]
    for file in files:
        try:
            if file.stat().st_mtime < since.timestamp():
                continue
            text = file.read_text(errors="replace")
        except (
            FileNotFoundError
        ):  # it moved: its attempt ended just now, and the next look finds it
            continue
        for raw in text.splitlines():
            line = _line(raw, "supervisor", since)
            if line is not None and line.moment >= since:
                yield line


def _line(raw: str, source: str, moment: datetime) -> LogLine | None:
    try:
        fields = json.loads(raw)
    except ValueError:
        # START, END and REPORT are the platform's own lines.
        if raw.startswith(("START ", "END ", "REPORT ", "INIT_START ")) or not raw.strip():
            return None
        return LogLine(moment=moment, source=source, fields={"message": raw.rstrip()})
    if not isinstance(fields, dict):
        return LogLine(moment=moment, source=source, fields={"message": raw})
    if "event" in fields:  # a supervisor's: `time` in seconds and `event`
        fields = {"message": fields.pop("event"), **fields}
    return LogLine(moment=_moment(fields, moment), source=source, fields=fields)


def _moment(fields: Mapping[str, Any], otherwise: datetime) -> datetime:
    if isinstance(fields.get("time"), int | float):
        return datetime.fromtimestamp(fields["time"], UTC)
    text = str(fields.get("timestamp", ""))
    for shape in ("%Y-%m-%d %H:%M:%S,%f%z", "%Y-%m-%dT%H:%M:%S.%f%z"):
        try:
            return datetime.strptime(text, shape).astimezone(UTC)
        except ValueError:
            continue
    return otherwise
