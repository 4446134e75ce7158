"""Pools over DynamoDB: their lanes, their breaker, and the switch that stops them.

An item is there once somebody has set something. `L#*` stops every pool.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pynamodb.expressions.update import Action

from chalicelib.clock import to_ms
from chalicelib.errors import PayloadError
from chalicelib.model import Pool
from chalicelib.queue.dynamodb_items import PoolItem, parse_pool, pool_key
from chalicelib.queue.dynamodb_table import Change, DynamoTable, Raw, Refused

__all__ = ["Pools"]

_ALL = "*"
_MAX_LANES = 64
_EVERYTHING = 100_000
_LANES_KEPT = timedelta(minutes=5)
"""Lanes that were given up are read for that long: whoever had read the old number has written by
then. A job that comes later still is found by its tenant's set, more slowly."""
_FAILURES_ALLOWED = 2
_CLOSED_FIRST = timedelta(seconds=30)
_CLOSED_LONGEST = timedelta(minutes=15)
_MAX_REASON = 200


class Pools:
    """Reads and writes of pools. A part of `dynamodb.DynamoQueue`."""

    def __init__(self, table: DynamoTable) -> None:
        """Serve the table."""
        self._table = table

    def get_pool(self, pool: str) -> Pool:
        """Return the pool; one that nobody registered has the defaults. Read consistently."""
        return _pool_in(pool, self._table.get_many((pool_key(pool), pool_key(_ALL))))

    def pools(self) -> Sequence[str]:
        """Return the names of the pools that have, or had, hosts."""
        return [pool for _, pool in self._table.query("L", limit=_EVERYTHING)]

    def put_pool_lanes(self, pool: str, *, lanes: int, now: datetime) -> None:
        """Set how many lanes the pool's jobs are spread over. One write unit.

        Raises:
            PayloadError: it is not 1 to 64.
        """
        if not 1 <= lanes <= _MAX_LANES:
            raise PayloadError(reason=f"a pool has 1 to {_MAX_LANES} lanes, not {lanes}")
        seen = self.get_pool(pool)
        self._change(
            "put_pool_lanes",
            pool,
            PoolItem.lanes.set(lanes),
            PoolItem.lanes_read.set(max(lanes, seen.lanes_read)),
            PoolItem.lanes_changed_at.set(to_ms(now)),
        )

    def settle_lanes(self, pool: str, *, now: datetime) -> bool:
        """Stop reading lanes that were given up five minutes ago and are empty; return whether."""
        seen = self.get_pool(pool)
        changed = seen.lanes_changed_at
        if seen.lanes_read <= seen.lanes or changed is None or now < changed + _LANES_KEPT:
            return False
        given_up = range(seen.lanes, seen.lanes_read)
        if any(self._table.query(f"R#{pool}#{lane}", limit=1) for lane in given_up):
            return False
        change = Change(
            key=pool_key(pool),
            actions=[PoolItem.lanes_read.set(seen.lanes)],
            condition=PoolItem.lanes_changed_at == to_ms(changed),
        )
        return not isinstance(self._table.update("settle_lanes", change), Refused)

    def pause(self, pool: str | None, *, reason: str) -> None:
        """Let no job of the pool be claimed, or with None no job at all; "" lets them again."""
        told = PoolItem.paused.set(reason[:_MAX_REASON]) if reason else PoolItem.paused.remove()
        self._change("pause", _ALL if pool is None else pool, told)

    def note_failure(self, pool: str, *, reason: str, now: datetime) -> Pool:
        """Count an attempt that was lost before its container ran. One or two write units.

        A repeat after a lost answer counts twice, which closes the breaker a little early.
        """
        counted = self._change(
            "note_failure",
            pool,
            PoolItem.failures.set((PoolItem.failures | 0) + 1),
            PoolItem.failure.set(reason[:_MAX_REASON]),
        )
        beyond = counted.failures - _FAILURES_ALLOWED
        if beyond <= 0:
            return counted
        pause = min(_CLOSED_FIRST * 2 ** min(beyond - 1, 10), _CLOSED_LONGEST)
        return self._change("note_failure", pool, PoolItem.closed_until.set(to_ms(now + pause)))

    def note_success(self, pool: str) -> None:
        """Open the breaker: a container ran. One write unit; call it when there are failures."""
        forget = (PoolItem.failures, PoolItem.closed_until, PoolItem.failure)
        self._change("note_success", pool, *(attribute.remove() for attribute in forget))

    def _change(self, verb: str, pool: str, *actions: Action) -> Pool:
        change = Change(key=pool_key(pool), actions=actions)
        answer = self._table.update(verb, change)
        return Pool(id=pool) if isinstance(answer, Refused) else parse_pool(answer)


def _pool_in(pool: str, raws: Iterable[Raw]) -> Pool:
    """Return the pool among these items, paused if everything is."""
    found = {each.id: each for each in map(parse_pool, raws)}
    own, everything = found.get(pool) or Pool(id=pool), found.get(_ALL)
    if everything is not None and everything.paused:
        return replace(own, paused=everything.paused)
    return own
