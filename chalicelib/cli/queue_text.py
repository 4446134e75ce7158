"""The queue, pipelines and jobs as lines and tables for a terminal: the API's values in, text out."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from chalicelib.cli.frame import paint
from chalicelib.model import JobRef, in_order
from chalicelib.web.labels import duration

__all__ = [
    "bar",
    "host_rows",
    "job_facts",
    "job_rows",
    "pipeline_title",
    "pool_line",
    "state_word",
    "tenant_rows",
    "timeline_rows",
    "why_line",
]

_COUNTED = 100
"""The API counts what waits up to this."""
_BAR = 20
_DEEPEST = 12
_MARKS = {
    "succeeded": ("✓", "green"),
    "failed": ("✗", "red"),
    "timed_out": ("⏱", "red"),
    "infrastructure": ("⚠", "magenta"),
    "cancelled": ("⊘", "yellow"),
    "superseded": ("⊘", "yellow"),
    "cancelling": ("⊘", "yellow"),
    "running": ("●", "green"),
    "leased": ("◐", "green"),
}
_WAITS = ("·", "grey")
_HOSTS = {"up": "green", "draining": "yellow", "lost": "red"}

_Values = Mapping[str, Any]


def pool_line(pool: _Values, *, everything: str) -> str:
    """Return what a pool is at; `everything` is why all pools are stopped, or empty."""
    lanes = "1 lane" if pool["lanes"] == 1 else f"{pool['lanes']} lanes"
    line = f"{paint('pool ' + pool['id'], 'bold')}  {lanes}, {_count(pool['ready'])} ready"
    if everything:
        line += "  " + paint(f"everything is paused: {everything}", "yellow")
    elif pool["paused"]:
        line += "  " + paint(f"paused: {pool['paused']}", "yellow")
    return line + ("  " + paint(pool["breaker"], "red") if pool["breaker"] else "")


def host_rows(pool: _Values) -> list[tuple[str, ...]]:
    """Return a row for each host of the pool, with a bar of its slots."""
    if not pool["hosts"]:
        return [("  no host is registered",)]
    return [
        (
            f"  {host['id']}",
            paint(host["state"], _HOSTS.get(host["state"], "grey")),
            bar(host["taken"], host["slots"]),
            f"{host['taken']} of {host['slots']} slots",
        )
        for host in pool["hosts"]
    ]


def bar(taken: int, slots: int) -> str:
    """Return a bar with a sign for each slot, or for a share of them when there are many.

    >>> bar(1, 4), bar(0, 100), bar(1, 100), bar(9, 4)
    ('█░░░', '░░░░░░░░░░░░░░░░░░░░', '█░░░░░░░░░░░░░░░░░░░', '████')
    """
    width = min(slots, _BAR)
    full = min(width, -(-taken * width // slots)) if slots else 0
    return "█" * full + "░" * (width - full)


def tenant_rows(tenants: Sequence[_Values], *, more: bool) -> list[tuple[str, ...]]:
    """Return a row for each tenant, below a head; one more says that there are others."""
    if not tenants:
        return [("no tenant has jobs",)]
    rows = [("tenant", "slots", "weight", "waiting")]
    rows += [
        (
            each["id"],
            f"{each['running']} of {each['limit']}",
            str(each["weight"]),
            _count(each["backlog"]),
        )
        for each in tenants
    ]
    return [*rows, ("…", "", "", "and others")] if more else list(rows)


def pipeline_title(pipeline: _Values) -> str:
    """Return which commit it is of, and how it stands."""
    place = pipeline["ref"].removeprefix("refs/heads/").removeprefix("refs/")
    commit = f"{pipeline['repository']} {place} {pipeline['sha'][:10]} {pipeline['title']}".rstrip()
    reason = f": {pipeline['reason']}" if pipeline["reason"] else ""
    state = "running" if pipeline["state"] == "planned" else state_word(pipeline)
    return f"{paint(commit, 'bold')}\n{state}{reason}"


def job_rows(jobs: Sequence[_Values]) -> list[tuple[str, ...]]:
    """Return a row for each job, after those that it needs and further in than they are."""
    by_name = {job["name"]: job for job in jobs}
    refs = [JobRef(id=job["name"], name=job["name"], needs=tuple(job["needs"])) for job in jobs]
    depths: dict[str, int] = {}
    for ref in in_order(refs):
        depths[ref.id] = max((depths.get(need, -1) + 1 for need in ref.needs), default=0)
    return [_job_row(by_name[name], depth) for name, depth in depths.items()]


def _job_row(job: _Values, depth: int) -> tuple[str, ...]:
    mark, colour = _MARKS.get(job["outcome"] or job["state"], _WAITS)
    told = job["waits_for"] or job["reason"] or (f"on {job['host']}" if job["host"] else "")
    return (
        f"{'  ' * min(depth, _DEEPEST)}{paint(mark, colour)} {job['name']}",
        state_word(job),
        _took(job["hops"]),
        paint(job["id"], "grey"),
        told,
    )


def why_line(job: _Values) -> str:
    """Return the sentence on a job."""
    name, why = paint(job["name"], "bold"), job["why"]
    if job["outcome"]:
        return f"{name} has ended: {why}"
    if not why:
        since = f" since {_precise(job['hops']['bound'])}" if "bound" in job["hops"] else ""
        return f"{name} is running on {job['host']}{since}"
    return f"{name} is {state_word(job)}: {why}"


def job_facts(job: _Values) -> list[tuple[str, str]]:
    """Return what else is known of a job, by name."""
    attempt = f"{job['fence']}, {job['attempts']} charged" if job["fence"] else ""
    facts = {
        "job": job["id"],
        "pipeline": job["pipeline"],
        "needs": ", ".join(job["needs"]),
        "tenant": job["tenant"],
        "pool": job["pool"],
        "host": job["host"],
        "attempt": attempt,
    }
    return [(f"  {name}", value) for name, value in facts.items() if value]


def timeline_rows(timeline: Sequence[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Return a row for each hop: its time, its name, and how long after the one before it was."""
    gaps = ["", *(f"+ {_between(early, late)}" for (_, early), (_, late) in pairwise(timeline))]
    rows = [
        (f"  {_precise(moment)}", hop, gap)
        for (hop, moment), gap in zip(timeline, gaps, strict=False)
    ]
    return [("  time (UTC)", "hop", ""), *rows]


def state_word(thing: _Values) -> str:
    """Return how a job or a pipeline ended, or where it is.

    >>> state_word({"outcome": "timed_out", "state": "done"})
    'timed out'
    """
    return str(thing["outcome"] or thing["state"]).replace("_", " ")


def _count(number: int) -> str:
    return f"{_COUNTED} or more" if number >= _COUNTED else str(number)


def _took(hops: Mapping[str, str]) -> str:
    if "claimed" not in hops or "finished" not in hops:
        return ""
    return _between(hops["claimed"], hops["finished"])


def _between(early: str, late: str) -> str:
    return duration(datetime.fromisoformat(late) - datetime.fromisoformat(early))


def _precise(moment: str) -> str:
    # Whole milliseconds are what the table keeps.
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%H:%M:%S.%f}"[:-3]
