"""The one workflow: which jobs it lists, and which of them each needs."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from chalicelib.buildconfig.cursor import NOT_YET, Cursor
from chalicelib.buildconfig.keywords import (
    WORKFLOW_JOB_KNOWN,
    WORKFLOW_JOB_SUPPORTED,
    WORKFLOW_KNOWN,
    WORKFLOW_SUPPORTED,
)
from chalicelib.model import JobRef, JobSpec, in_order

__all__ = ["compile_workflows"]

_MAX_NEEDS = 10_000
"""Of all jobs together: a pipeline is one item of the table, which may have 400 kB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One item of a workflow's `jobs`; `requires` is None when it has none."""

    name: str
    place: Cursor
    requires: Cursor | None


def compile_workflows(place: Cursor, jobs: Mapping[str, JobSpec]) -> tuple[JobSpec, ...] | None:
    """Return the jobs that the one workflow lists, with their needs; None without a workflow.

    Raises:
        ConfigError: it lists or needs what is not there, its jobs need each other in a circle, or
            it asks for something that is not carried out yet.
    """
    workflows = [(name, body) for name, body in place.fields().items() if name != "version"]
    if not workflows:
        return None
    if len(workflows) > 1:
        raise workflows[1][1].key_error(f"more than one workflow is {NOT_YET}")
    body = workflows[0][1]
    body.refuse_others(WORKFLOW_SUPPORTED, WORKFLOW_KNOWN)
    listed = body.fields().get("jobs")
    if listed is None:
        raise body.key_error("a workflow needs jobs")
    entries = _entries(listed, jobs)
    names = frozenset(entry.name for entry in entries)
    specs = tuple(replace(jobs[entry.name], needs=_needs(entry, names)) for entry in entries)
    if sum(len(spec.needs) for spec in specs) > _MAX_NEEDS:
        raise listed.error(f"the jobs require more than {_MAX_NEEDS} others in all")
    _check_circles(entries, specs)
    return specs


def _entries(listed: Cursor, jobs: Mapping[str, JobSpec]) -> list[_Entry]:
    entries: dict[str, _Entry] = {}
    for item in listed.items():
        entry = _entry(item)
        if entry.name not in jobs:
            raise item.error(f"there is no job named {entry.name}")
        if entry.name in entries:
            raise item.error(f"a job listed twice is {NOT_YET}")
        entries[entry.name] = entry
    if not entries:
        raise listed.error("a workflow needs at least one job")
    return list(entries.values())


def _entry(item: Cursor) -> _Entry:
    if not item.is_mapping:
        return _Entry(name=item.text(), place=item, requires=None)
    fields = item.fields()
    if len(fields) != 1:
        raise item.error("has to be the name of one job")
    name, body = next(iter(fields.items()))
    if body.is_null:
        return _Entry(name=name, place=item, requires=None)
    for key, place in body.fields().items():
        if key not in WORKFLOW_JOB_SUPPORTED:
            known = "" if key in WORKFLOW_JOB_KNOWN else "an argument to a job is "
            raise place.key_error(known + NOT_YET)
    return _Entry(name=name, place=item, requires=body.fields().get("requires"))


def _needs(entry: _Entry, listed: frozenset[str]) -> tuple[str, ...]:
    """Return what an entry requires, each name once."""
    needs: dict[str, None] = {}
    for place in entry.requires.items() if entry.requires else ():
        if place.is_mapping:
            raise place.error(f"to require a job by its status is {NOT_YET}")
        name = place.text()
        if name not in listed:
            raise place.error(f"this workflow lists no job named {name}")
        needs[name] = None
    return tuple(needs)


def _check_circles(entries: Sequence[_Entry], specs: Sequence[JobSpec]) -> None:
    """Raise ConfigError on the `requires` of the job that, in the order listed, closes a circle."""
    refs = [JobRef(id=spec.name, name=spec.name, needs=spec.needs) for spec in specs]
    if not _circle(refs):
        return
    # Needs that lead out of the jobs given are not followed: the first jobs have no circle, and once
    # the one that closes it is among them, all more have it too.
    closing = bisect_left(range(len(refs)), 1, key=lambda last: bool(_circle(refs[: last + 1])))
    place = entries[closing].requires or entries[closing].place
    raise place.key_error(f"the jobs need each other in a circle: {_circle(refs[: closing + 1])}")


def _circle(refs: Sequence[JobRef]) -> str:
    """Return the circle in which jobs need each other, in words; empty when there is none."""
    try:
        in_order(refs)
    except ValueError as error:
        return str(error)
    return ""
