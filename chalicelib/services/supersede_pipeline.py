"""Auto-cancel: a newer push to a ref makes the pipelines of its older heads superfluous.

Which push is newer is told by the chain of `before` and `after`, never by time: deliveries come in
any order. Where the chain is broken (a forced push, a missing delivery), GitHub is asked once.
"""

from chalicelib.errors import NotFoundError
from chalicelib.model import Group, Outcome, Pipeline, group_id
from chalicelib.services.cancel_pipeline import cancel_pipeline
from chalicelib.services.context import Berth

__all__ = ["SUPERSEDED", "group_of", "is_superseded", "supersede_older"]

SUPERSEDED = "its branch has moved on"
"""The reason that people see."""


def group_of(pipeline: Pipeline) -> str | None:
    """Return the group that the pipeline is superseded in; None when it never is.

    As at CircleCI: default branches and re-runs are exempt
    (<https://circleci.com/docs/skip-build/#auto-cancel>). Without a known default branch every
    branch counts as one.
    """
    source = pipeline.source
    if pipeline.rerun or (source.branch in {source.default_branch, ""} and source.branch):
        return None
    if source.branch and not source.default_branch:
        return None
    return group_id(
        installation=pipeline.tenant, repository_id=source.repository_id, ref=source.ref
    )


def supersede_older(berth: Berth, pipeline: Pipeline) -> bool:
    """Make the pipeline its ref's newest and cancel the one before; return whether it is newest.

    Safe to repeat: a repeat cancels again what was to be cancelled.

    Raises:
        GithubUnavailableError: the chain is broken and GitHub did not answer; try again.
        StoreUnavailableError: the same, of the store.
    """
    group = group_of(pipeline)
    if group is None:
        return True
    known = _advanced(berth, group, pipeline)
    if known.previous and known.previous != pipeline.id:
        _cancel(berth, known.previous)
    return known.sha == pipeline.source.sha


def is_superseded(berth: Berth, pipeline: Pipeline) -> bool:
    """Return whether a newer head of the pipeline's ref is known. One read."""
    group = group_of(pipeline)
    known = berth.queue.get_group(group) if group else None
    return known is not None and known.sha != pipeline.source.sha


def _advanced(berth: Berth, group: str, pipeline: Pipeline) -> Group:
    source, now = pipeline.source, berth.clock.now()
    known = berth.queue.advance_group(
        group, seen=source.before, sha=source.sha, pipeline=pipeline.id, now=now
    )
    if known.sha == source.sha:
        return known
    head = berth.github.read_head(source)
    if head is None or head == known.sha:
        return known
    mine = pipeline.id if head == source.sha else ""
    return berth.queue.advance_group(group, seen=known.sha, sha=head, pipeline=mine, now=now)


def _cancel(berth: Berth, pipeline_id: str) -> None:
    try:
        cancel_pipeline(berth, pipeline_id, outcome=Outcome.SUPERSEDED, reason=SUPERSEDED)
    except NotFoundError:
        return  # forgotten since, by its age
