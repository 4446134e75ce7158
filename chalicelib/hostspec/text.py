"""Plans and reports as text that people read, with differences line by line.

Secrets are stars here, as everywhere. Colours are the command line's business: each line begins
with its sign (`+` create, `~` change, `-` remove, `!` react).
"""

import difflib
from collections.abc import Iterator
from datetime import timedelta

from chalicelib.hostspec.plan import Plan, PlannedChange
from chalicelib.hostspec.report import Outcome, Report, ResourceOutcome
from chalicelib.hostspec.resource import Difference, Operation
from chalicelib.shell import Secret

__all__ = ["outcome_text", "plan_text", "report_text"]

_SIGNS = {
    Operation.CREATE: "+",
    Operation.CHANGE: "~",
    Operation.REMOVE: "-",
    Operation.REACT: "!",
    Operation.NOTHING: " ",
}
_DONE = {
    Operation.CREATE: "created",
    Operation.CHANGE: "changed",
    Operation.REMOVE: "removed",
    Operation.REACT: "reacted",
    Operation.NOTHING: "unchanged",
}
_STRANGE = "\N{REPLACEMENT CHARACTER}"
_SHORT = 60
_CONTEXT_LINES = 3
_MOMENT = timedelta(milliseconds=100)


def plan_text(plan: Plan, *, host: str) -> str:
    """Return a plan: a line for each resource with something to do, and its differences below."""
    lines = [line for change in plan.work for line in _change_lines(change)]
    return "\n".join([*lines, _summary(plan, host)])


def report_text(report: Report) -> str:
    """Return a report: what was done, what failed and with which words, and the sum."""
    told = [each for each in report.outcomes if each.outcome is not Outcome.UNCHANGED]
    counts = {outcome: len(report.of(outcome)) for outcome in Outcome}
    sums = ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items() if count)
    took = f" in {report.elapsed.total_seconds():.1f} s" if report.elapsed else ""
    return "\n".join([*map(outcome_text, told), f"{report.host}: {sums or 'no resources'}{took}"])


def outcome_text(outcome: ResourceOutcome) -> str:
    """Return what became of one resource; several lines where it failed."""
    because = ", ".join(outcome.because)
    match outcome.outcome:
        case Outcome.FAILED:
            status = outcome.exit_status
            how = "cut short" if status is None else f"exit status {status}"
            lines = [f"x {outcome.name}: failed, {how}"]
            lines += [f"    {line}" for line in outcome.command.splitlines()]
            lines += [f"  | {line}" for line in outcome.tail.splitlines()]
            return "\n".join(lines)
        case Outcome.SKIPPED:
            return f"o {outcome.name}: skipped, since {because} failed"
        case _:
            sign, done = _SIGNS[outcome.operation], _DONE[outcome.operation]
            time = f" ({outcome.elapsed.total_seconds():.1f} s)" * (outcome.elapsed > _MOMENT)
            reason = f", after {because}" if because else ""
            return f"{sign} {outcome.name}: {done}{reason}{time}"


def _summary(plan: Plan, host: str) -> str:
    if plan.empty:
        return f"{host}: nothing to do, {len(plan.changes)} resources are as they should be"
    counts = [
        (operation, sum(each.operation is operation for each in plan.changes))
        for operation in Operation
    ]
    sums = [f"{count} to {operation.value}" for operation, count in counts[:-1] if count]
    return f"{host}: {', '.join(sums)}; {counts[-1][1]} as they should be"


def _change_lines(change: PlannedChange) -> Iterator[str]:
    because = f", because of {', '.join(change.because)}" if change.because else ""
    yield f"{_SIGNS[change.operation]} {change.resource.name}{because}"
    if change.operation is not Operation.REMOVE:
        for difference in change.differences:
            if (difference.field, difference.before) != ("kind", None):  # its name says it
                yield from _difference_lines(difference)


def _difference_lines(difference: Difference) -> Iterator[str]:
    before, after = _shown(difference.before), _shown(difference.after)
    if len(before) > _SHORT or len(after) > _SHORT or "\n" in before + after:
        yield f"    {difference.field}:"
        yield from (f"      {line}" for line in _diff(before, after))
    elif difference.before is None:
        yield f"    {difference.field}: {after}"
    else:
        yield f"    {difference.field}: {before} -> {after}"


def _diff(before: str, after: str) -> Iterator[str]:
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), lineterm="", n=_CONTEXT_LINES
    )
    for number, line in enumerate(lines):
        if number > 1:  # the names of two files, which there are none of
            yield line


def _shown(value: str | Secret | None) -> str:
    """Return a value without what would move a terminal's cursor."""
    text = "" if value is None else str(value)
    return "".join(each if each.isprintable() or each in "\n\t" else _STRANGE for each in text)
