"""The graph of a pipeline's jobs: what may be admitted, what never will run, what is waited for.

Pure, and driven by state alone: the same answer however often and by whomever it is asked, so that
any actor may be killed between two looks. A job without an item is WAITING.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from chalicelib.model.records import Job, JobRef
from chalicelib.model.states import JobState, Outcome

__all__ = ["Advance", "advance", "in_order", "waiting_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """What follows from the state of a pipeline's jobs.

    Attributes:
        admit: WAITING jobs all of whose needs have succeeded, in the pipeline's order.
        skip: WAITING jobs that will never run, with the outcome and the reason to end them with.
    """

    admit: tuple[JobRef, ...] = ()
    skip: tuple[tuple[JobRef, Outcome, str], ...] = ()


def advance(refs: Sequence[JobRef], jobs: Mapping[str, Job]) -> Advance:
    """Return what can be done for the jobs that have no item yet.

    Args:
        refs: the pipeline's jobs; the needs of each are among them, and lead back to no job.
        jobs: those that have an item, by id.

    A job ends unrun when one it needs did not succeed, at any distance. It is superseded if that
    one was, and cancelled otherwise: it did not fail.
    """
    names = {ref.id: ref.name for ref in refs}
    outcomes = {job.id: job.outcome for job in jobs.values() if job.state is JobState.DONE}
    admit, skip = [], []
    for ref in in_order(refs):
        if ref.id in jobs:
            continue
        broken = next((need for need in ref.needs if _is_broken(outcomes.get(need))), None)
        if broken is not None:
            outcome = _inherited(outcomes[broken])
            outcomes[ref.id] = outcome
            fate = _FATES[outcomes[broken]] if broken in jobs else "did not run"
            skip.append((ref, outcome, f"needs {names[broken]}, which {fate}"))
        elif all(outcomes.get(need) is Outcome.SUCCEEDED for need in ref.needs):
            admit.append(ref)
    return Advance(admit=tuple(admit), skip=tuple(skip))


def waiting_for(ref: JobRef, jobs: Mapping[str, Job]) -> tuple[str, ...]:
    """Return the ids of the needs of `ref` that have not succeeded yet."""
    return tuple(
        need
        for need in ref.needs
        if need not in jobs or jobs[need].outcome is not Outcome.SUCCEEDED
    )


def in_order(refs: Iterable[JobRef]) -> tuple[JobRef, ...]:
    """Return the jobs so that each comes after all that it needs; always in the same order.

    Raises:
        ValueError: jobs need each other in a circle; its message names them in turn.
    """
    given = {ref.id: ref for ref in refs}
    sorter = TopologicalSorter(
        {ref.id: [need for need in ref.needs if need in given] for ref in given.values()}
    )
    try:
        return tuple(given[each] for each in sorter.static_order())
    except CycleError as error:
        # It names each before the one that needs it; people read "a needs b".
        circle = " needs ".join(given[each].name for each in reversed(error.args[1]))
        raise ValueError(circle) from error


def _is_broken(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome is not Outcome.SUCCEEDED


def _inherited(outcome: Outcome | None) -> Outcome:
    return Outcome.SUPERSEDED if outcome is Outcome.SUPERSEDED else Outcome.CANCELLED


_FATES = {
    None: "has not ended",
    Outcome.SUCCEEDED: "succeeded",
    Outcome.FAILED: "failed",
    Outcome.TIMED_OUT: "timed out",
    Outcome.INFRASTRUCTURE: "was lost by the infrastructure",
    Outcome.CANCELLED: "was cancelled",
    Outcome.SUPERSEDED: "was superseded",
}
