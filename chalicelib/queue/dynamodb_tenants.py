"""Tenants over DynamoDB: the sets of jobs that hold their slots, and their limits.

A slot takes some 20 bytes of its tenant's item, and an update is billed by the whole item, so a
tenant of more than 40 slots has several items: shards, each with a share of the limit. A job takes
its slot in one shard, and the shares are such that the limit is exact without any write on two.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pynamodb.expressions.condition import Condition, size
from pynamodb.expressions.update import Action

from chalicelib.clock import from_ms, to_ms
from chalicelib.errors import PayloadError, StoreUnavailableError
from chalicelib.model import Job, Tenant
from chalicelib.queue.dynamodb_changes import fewer_than
from chalicelib.queue.dynamodb_items import Item, TenantItem, read, tenant_key
from chalicelib.queue.dynamodb_table import Change, DynamoTable, Raw, Refused

__all__ = ["SHARD_SLOTS", "Slots", "Tenants", "shares"]

SHARD_SLOTS = 40
"""What one item holds within a kilobyte: the unit of writing, and of its price."""
_MAX_SHARDS = 100  # one transaction writes that many
_MAX_WEIGHT = 1_000
_ACTIVE_PARTITIONS = 8
_EVERYTHING = 100_000
_ROUNDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """A tenant as its items say.

    Attributes:
        tenant: the whole of it.
        used: jobs that hold a slot, by shard.
        limits: share of the limit, by shard.
        used_at: when a slot was last taken or freed in the first shard; None if never.
    """

    tenant: Tenant
    used: tuple[int, ...]
    limits: tuple[int, ...]
    used_at: datetime | None

    def shard_for(self, job: str) -> int | None:
        """Return the shard with the most room, or None when there is no room in any."""
        room = [limit - used for limit, used in zip(self.limits, self.used, strict=True)]
        best = max(room)
        if best <= 0:
            return None
        # Of equally roomy ones not always the first: admissions at once would meet there.
        equal = [shard for shard, left in enumerate(room) if left == best]
        return equal[zlib.crc32(job.encode()) % len(equal)]


def shares(limit: int, used: Sequence[int], *, shard_slots: int = SHARD_SLOTS) -> tuple[int, ...]:
    """Return each shard's share of the limit, given how many jobs each holds now.

    None gets room that others have taken: whatever ends in whichever shard, a slot is only taken
    while all shards together hold less than the limit. If they hold more than that now, a share is
    what the limit leaves beside all others as they are; that is too little once they hold less, and
    the limit has to be divided again.

    >>> shares(100, [0])
    (40, 40, 20)
    >>> shares(60, [40, 0])
    (40, 20)
    >>> shares(50, [40, 30])  # each has room once it alone makes room for all
    (20, 10)
    """
    beyond = sum(used) - limit
    if beyond > 0:
        return tuple(max(0, jobs - beyond) for jobs in used)
    count = max(len(used), -(-limit // shard_slots), 1)
    held = [*used, *[0] * (count - len(used))]
    left = limit - sum(held)
    kept = held
    for shard in range(count):
        more = min(left, max(0, shard_slots - kept[shard]))
        kept[shard] += more
        left -= more
    return tuple(kept)


class Tenants:
    """Reads and writes of tenants. A part of `dynamodb.DynamoQueue`."""

    def __init__(
        self, table: DynamoTable, *, default_limit: int, shard_slots: int = SHARD_SLOTS
    ) -> None:
        """Serve the table.

        Args:
            table: where the items are.
            default_limit: holds for tenants that nobody gave a limit.
            shard_slots: of one item. All who serve a table must agree on it; only a world too small
                for real shards sets another.
        """
        self._table = table
        self._default_limit = default_limit
        self._shard_slots = shard_slots

    def get_tenant(self, tenant: str) -> Tenant | None:
        """Return the tenant, read consistently; None before its first job."""
        slots = self._slots(tenant)
        return slots.tenant if slots else None

    def active_tenants(self) -> Iterator[Tenant]:
        """Yield every tenant that may have jobs, waiting or live; read consistently."""
        for number in range(_ACTIVE_PARTITIONS):
            found = self._table.query(f"A#{number}", limit=_EVERYTHING)
            raws = self._table.get_many(tenant_key(tenant) for _, tenant in found)
            yield from (self._slots_in(raw).tenant for raw in raws)

    def forget_idle(self, tenant: str, *, before: datetime) -> bool:
        """Take an idle tenant out of the active ones. Two write units when it is done.

        One of several shards stays: a slot taken in another shard would not bring it back. So does
        one that may hold nothing: its jobs become PENDING without any slot being taken.
        """
        slots = self._slots(tenant)
        if slots is None or len(slots.used) > 1 or slots.tenant.jobs or not slots.tenant.limit:
            return False
        if slots.used_at is not None and slots.used_at >= before:
            return False
        if self._table.query(f"P#{tenant}", limit=1):
            return False
        seen = (
            TenantItem.used_at == to_ms(slots.used_at)
            if slots.used_at
            else TenantItem.used_at.does_not_exist()
        )
        change = Change(
            key=tenant_key(tenant),
            actions=[TenantItem.partition.remove(), TenantItem.order.remove()],
            condition=seen & self._has_room() & _holds_at_most(0),
        )
        return not isinstance(self._table.update("forget_idle", change), Refused)

    def put_tenant_limit(self, tenant: str, *, limit: int, weight: int = 1) -> Tenant:
        """Create the tenant or change its limit; what runs above a lower limit runs on.

        One write unit up to 40 slots, two for each shard above.

        Raises:
            PayloadError: the limit is not 0 to 4,000, or the weight not 1 to 1,000.
        """
        largest = self._shard_slots * _MAX_SHARDS
        if not 0 <= limit <= largest:
            raise PayloadError(reason=f"a limit is 0 to {largest} slots, not {limit}")
        if not 1 <= weight <= _MAX_WEIGHT:
            raise PayloadError(reason=f"a weight is 1 to {_MAX_WEIGHT}, not {weight}")
        for _ in range(_ROUNDS):
            slots = self._slots(tenant)
            used = slots.used if slots else (0,)
            if self._divide(tenant, used, limit=limit, weight=weight):
                return Tenant(
                    id=tenant,
                    limit=limit,
                    weight=weight,
                    jobs=slots.tenant.jobs if slots else frozenset(),
                    shards=len(_kept(self._shares(limit, used), used)),
                )
        raise StoreUnavailableError(reason=f"tenant {tenant} changed {_ROUNDS} times meanwhile")

    def settle_limit(self, tenant: str) -> bool:
        """Divide a tenant's limit anew over its shards. Nothing is written while that is the same."""
        slots = self._slots(tenant)
        if slots is None:
            return False
        known = slots.tenant
        if _kept(self._shares(known.limit, slots.used), slots.used) == slots.limits:
            return False
        return self._divide(tenant, slots.used, limit=known.limit, weight=known.weight)

    def _shares(self, limit: int, used: Sequence[int]) -> tuple[int, ...]:
        return shares(limit, used, shard_slots=self._shard_slots)

    def _divide(self, tenant: str, used: Sequence[int], *, limit: int, weight: int) -> bool:
        divided = self._shares(limit, used)
        changes = _limit_changes(tenant, used, divided, limit=limit, weight=weight)
        if len(changes) == 1:
            return not isinstance(self._table.update("put_tenant_limit", changes[0]), Refused)
        return self._table.transact("put_tenant_limit", *changes) is None

    def _slots(self, tenant: str) -> Slots | None:
        raw = self._table.get(tenant_key(tenant))
        return self._slots_in(raw) if raw else None

    def _slots_in(self, raw: Raw) -> Slots:
        """Return the tenant whose first shard this is; its further shards are read."""
        first = read(TenantItem, raw)
        tenant = first.pk.partition("#")[2]
        more = int(first.shards or 1) - 1
        others = self._table.get_many(tenant_key(tenant, shard + 1) for shard in range(more))
        items = [first, *_by_shard(read(TenantItem, other) for other in others)]
        limits = [_limit(item.limit, self._default_limit) for item in items]
        return Slots(
            tenant=Tenant(
                id=tenant,
                limit=_limit(first.total, sum(limits)),
                weight=int(first.weight or 1),
                jobs=frozenset(job for item in items for job in item.jobs),
                shards=len(items),
            ),
            used=tuple(len(item.jobs) for item in items),
            limits=tuple(limits),
            used_at=from_ms(int(first.used_at)) if first.used_at else None,
        )

    def _created(self, tenant: str) -> Slots:
        """Return a new tenant's slots; whoever else creates it meanwhile makes the same."""
        if self._default_limit > self._shard_slots:
            self.put_tenant_limit(tenant, limit=self._default_limit)
            slots = self._slots(tenant)
        else:
            # A nested SET needs its parent: the map must be there before the first slot (trap T24).
            change = Change(key=tenant_key(tenant), actions=_exists(tenant, 0))
            answer = self._table.update("create_tenant", change)
            slots = None if isinstance(answer, Refused) else self._slots_in(answer)
        if slots is None:
            raise StoreUnavailableError(reason=f"tenant {tenant} was not created")
        return slots

    def _take_slot(self, tenant: str, job: str, *, shard: int, now: datetime) -> Change:
        return Change(
            key=tenant_key(tenant, shard),
            actions=[
                TenantItem.jobs[job].set(1),
                TenantItem.used_at.set(to_ms(now)),
                *_active(tenant, shard),
            ],
            condition=self._has_room() & TenantItem.jobs[job].does_not_exist(),
        )

    def _free_slot(self, job: Job, *, now: datetime) -> Change:
        return Change(
            key=tenant_key(job.tenant, job.shard),
            actions=[TenantItem.jobs[job.id].remove(), TenantItem.used_at.set(to_ms(now))],
        )

    def _has_room(self) -> Condition:
        by_own = fewer_than(TenantItem.jobs, TenantItem.limit)
        by_default = fewer_than(TenantItem.jobs, self._default_limit)
        room: Condition = by_own | (TenantItem.limit.does_not_exist() & by_default)
        return room


def _limit_changes(
    tenant: str, used: Sequence[int], divided: Sequence[int], *, limit: int, weight: int
) -> list[Change]:
    """Return the writes that divide the limit: one for each shard, the first with the rest."""
    kept = len(_kept(divided, used))
    whole = [
        TenantItem.total.set(limit),
        TenantItem.weight.set(weight),
        TenantItem.shards.set(kept),
    ]
    unchanged = TenantItem.shards == len(used)
    if len(used) == 1:
        unchanged = unchanged | TenantItem.shards.does_not_exist()
    changes = []
    for shard, share in enumerate(divided):
        held = used[shard] if shard < len(used) else 0
        # A slot taken since the look would have its room counted twice.
        as_seen = _holds_at_most(max(held, share) if shard < kept else 0)
        actions = [*_exists(tenant, shard), TenantItem.limit.set(share)]
        change = Change(
            key=tenant_key(tenant, shard),
            actions=actions if shard else [*actions, *whole],
            condition=TenantItem.pk.does_not_exist() | (as_seen if shard else unchanged & as_seen),
        )
        changes.append(change)
    return changes


def _kept(divided: Sequence[int], used: Sequence[int]) -> tuple[int, ...]:
    """Return the shares without the last shards, as far as these have no share and hold nothing."""
    count = len(divided)
    while count > 1 and not divided[count - 1] and not any(used[count - 1 : count]):
        count -= 1
    return tuple(divided[:count])


def _holds_at_most(jobs: int) -> Condition:
    held: Condition = size(TenantItem.jobs) <= jobs  # type: ignore[no-untyped-call]
    return held


def _by_shard(items: Iterable[TenantItem]) -> list[TenantItem]:
    return sorted(items, key=lambda item: int(item.pk.rpartition("#")[2]))


def _exists(tenant: str, shard: int) -> list[Action]:
    return [
        TenantItem.jobs.set(TenantItem.jobs | {}),
        *_active(tenant, shard),
    ]


def _active(tenant: str, shard: int) -> list[Action]:
    # Written with every slot: free while it is there already, and a tenant that was dropped from
    # the index for idleness comes back by itself.
    if shard:
        return []
    partition = zlib.crc32(tenant.encode()) % _ACTIVE_PARTITIONS
    return [Item.partition.set(f"A#{partition}"), Item.order.set(tenant)]


def _limit(own: float | None, default: int) -> int:
    # Zero is a limit too: it stops a tenant.
    return default if own is None else int(own)
