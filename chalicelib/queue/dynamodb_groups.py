"""Which pipeline of a ref is the newest, by the chain of its pushes and never by time.

Deliveries come in any order, so "newest" is decided by `before` and `after` of each push: a push
follows the head that it names. A transaction could not say what was there before, hence one single
write, and `previous` on the item: a planner that was killed after it finds there what to cancel.
"""

from datetime import datetime

from chalicelib.errors import StoreUnavailableError
from chalicelib.model import Group
from chalicelib.queue.dynamodb_items import (
    GroupItem,
    group_key,
    parse_group,
    ttl_of,
)
from chalicelib.queue.dynamodb_table import Change, DynamoTable, Refused

__all__ = ["Groups"]

_ROUNDS = 3


class Groups:
    """Reads and writes of groups. A part of `dynamodb.DynamoQueue`."""

    def __init__(self, table: DynamoTable) -> None:
        """Serve the table."""
        self._table = table

    def get_group(self, group: str) -> Group | None:
        """Return the newest pipeline of a ref, read consistently."""
        raw = self._table.get(group_key(group))
        return parse_group(raw) if raw else None

    def advance_group(
        self, group: str, *, seen: str, sha: str, pipeline: str, now: datetime
    ) -> Group:
        """Make `sha` the newest head if the newest is `seen`, or none; return the group after.

        `pipeline` is that of `sha`, or empty while it is not known; it is filled in by a later call
        for the same `sha`. A repeat changes nothing. One write unit, or one for each refusal.
        """
        moved = Change(
            key=group_key(group),
            actions=[
                GroupItem.sha.set(sha),
                GroupItem.pipeline.set(pipeline),
                # What stands on the right is read before anything is written.
                GroupItem.previous.set(GroupItem.pipeline | ""),
                GroupItem.ttl.set(ttl_of(now)),
            ],
            condition=GroupItem.pk.does_not_exist() | (GroupItem.sha == seen),
        )
        filled = Change(
            key=group_key(group),
            actions=[GroupItem.pipeline.set(pipeline)],
            condition=(GroupItem.sha == sha) & (GroupItem.pipeline == ""),
        )
        for _ in range(_ROUNDS):
            met = self._table.update("advance_group", moved) if seen != sha else None
            if met is not None and not isinstance(met, Refused):
                return parse_group(met)
            known = self.get_group(group)
            if known is None:
                continue
            if known.sha != sha or known.pipeline or not pipeline:
                return known
            met = self._table.update("advance_group", filled)
            if not isinstance(met, Refused):
                return parse_group(met)
        raise StoreUnavailableError(reason=f"group {group} changes all the time")
