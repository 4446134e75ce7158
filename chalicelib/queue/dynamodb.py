"""The transactional queue over DynamoDB, by the protocol of docs/decisions/0002-queue-protocol.md.

Every verb reads, decides on what it read, and writes under conditions on state and fence. A refused
condition brings the item that was met, and that is looked at before anybody is told "lost": after
a lost answer the refusal may come from this call's own first try (rule 1.4b).
"""

import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from chalicelib.clock import from_ms, to_ms
from chalicelib.errors import StoreUnavailableError
from chalicelib.model import Host, Job, JobState, Outcome, Pool
from chalicelib.queue.dynamodb_changes import (
    back_to_ready,
    bind_change,
    cancelling,
    claim_change,
    claimed_by,
    end_change,
    ended_by,
    free_host_slot,
    heartbeat_change,
    is_back,
    met,
    new_job_item,
    promote_change,
    skipped_item,
    take_host_slot,
)
from chalicelib.queue.dynamodb_items import (
    JobItem,
    job_key,
    parse_job,
    parse_pool,
    pool_key,
    read,
    tenant_key,
)
from chalicelib.queue.dynamodb_registry import Registry
from chalicelib.queue.dynamodb_table import DynamoTable, Put, Refused
from chalicelib.queue.dynamodb_tenants import SHARD_SLOTS, Slots
from chalicelib.queue.protocol import Admission, Lane, NewJob
from chalicelib.queue.stamp import fair_stamp, parse_sort_key

__all__ = ["DynamoQueue"]

_ROUNDS = 8
"""How often a verb looks again when the job moved between its read and its write."""
_BACKLOG_HEAD = 10
_LANES_AT_ONCE = 2


class DynamoQueue(Registry):
    """`protocol.JobQueue` over one table. Safe to share between threads and processes."""

    def __init__(
        self,
        table: str | DynamoTable,
        *,
        default_limit: int,
        shard_slots: int = SHARD_SLOTS,
    ) -> None:
        """Serve the table.

        Args:
            table: its name, or a `DynamoTable` to share its connection, clock and accounting.
            default_limit: slots of a tenant that nobody gave a limit.
            shard_slots: slots of one shard; see `Tenants`.
        """
        made = DynamoTable(table) if isinstance(table, str) else table
        super().__init__(made, default_limit=default_limit, shard_slots=shard_slots)

    def admit(self, job: NewJob, *, now: datetime) -> Admission:
        """Take the tenant's slot and make the job READY, or PENDING. Five write units, or two."""
        found = self._before_admission(job)
        if found is None:
            return Admission.EXISTS
        slots, pool = found
        stamp = _stamp(slots, job.priority_s, now)
        absent = JobItem.pk.does_not_exist()
        shard = slots.shard_for(job.id)
        if shard is not None:
            lane = _lane(pool, job.id)
            item = new_job_item(
                job, JobState.READY, partition=lane, stamp=stamp, shard=shard, now=now
            )
            refusals = self._table.transact(
                "admit",
                Put(item=item.serialize(), condition=absent),
                self._take_slot(job.tenant, job.id, shard=shard, now=now),
            )
            if refusals is None:
                return Admission.READY
            if refusals[0] is not None:
                mine = _is_own(refusals[0], "admitted", now)
                return Admission.READY if mine else Admission.EXISTS
        backlog = f"P#{job.tenant}"
        item = new_job_item(job, JobState.PENDING, partition=backlog, stamp=stamp, now=now)
        refused = self._table.put("admit", Put(item=item.serialize(), condition=absent))
        if refused is not None and not _is_own(refused, "admitted", now):
            return Admission.EXISTS
        return Admission.READY if self._promote_job(job.id, now) else Admission.PENDING

    def skip(self, job: NewJob, *, outcome: Outcome, reason: str, now: datetime) -> bool:
        """WAITING → DONE for a job that will never run. One write unit."""
        item = skipped_item(job, outcome=outcome, reason=reason, now=now)
        absent = JobItem.pk.does_not_exist()
        refused = self._table.put("skip", Put(item=item.serialize(), condition=absent))
        return refused is None or _is_own(refused, "finished", now)

    def promote(self, tenant: str, *, now: datetime) -> str | None:
        """PENDING → READY for the head of the tenant's backlog, if it has room. Six write units."""
        for entry in self.backlog(tenant, limit=_BACKLOG_HEAD):
            promoted = self._promote_job(entry.job, now)
            if promoted:
                return entry.job
            if promoted is None:
                return None
        return None

    def backlog(self, tenant: str, *, limit: int = 10) -> Sequence[Lane]:
        """Return the first entries of the tenant's backlog. Ghosts are possible."""
        return _entries(self._table.query(f"P#{tenant}", limit=limit))

    def ready(self, pool: str, *, limit: int = 10) -> Sequence[Lane]:
        """Return entries of the pool's lanes, best stamp first. Ghosts are possible."""
        lanes = self._table.shuffled(range(self.get_pool(pool).lanes_read))
        found: list[Lane] = []
        while lanes and len(found) < limit:
            # Two at a time: of a random pair the better head is nearly as good as of all of them.
            for lane in lanes[:_LANES_AT_ONCE]:
                found += _entries(self._table.query(f"R#{pool}#{lane}", limit=limit))
            lanes = lanes[_LANES_AT_ONCE:]
        return sorted(found, key=_place)[:limit]

    def claim(
        self, job: str, *, host: Host, nonce: str, lease_until: datetime, now: datetime
    ) -> Job | None:
        """READY → LEASED with fence + 1, and the host's slot, in one transaction. Five write units.

        The job is read first, so that a claim on a ghost of the index costs no write.
        """
        seen = self.get_job(job)
        if seen is None or seen.owner == nonce:
            return seen
        if seen.state is not JobState.READY:
            return None
        claimed = claimed_by(seen, host=host.id, nonce=nonce, lease_until=lease_until, now=now)
        refusals = self._table.transact(
            "claim", claim_change(seen, claimed), take_host_slot(claimed, host)
        )
        if refusals is None:
            return claimed
        found = met(refusals[0])
        return found if found is not None and found.owner == nonce else None

    def bind(
        self,
        job: str,
        *,
        fence: int,
        host: str,
        lease_until: datetime,
        now: datetime,
        hops: Mapping[str, datetime] | None = None,
    ) -> Job | None:
        """LEASED, or RUNNING on this host, with this fence → RUNNING. One write unit."""
        change = bind_change(
            job,
            fence=fence,
            host=host,
            lease_until=lease_until,
            hops={**(hops or {}), "bound": now},
        )
        answer = self._table.update("bind", change)
        return None if isinstance(answer, Refused) else parse_job(answer)

    def heartbeat(self, job: str, *, fence: int, lease_until: datetime) -> JobState | None:
        """Renew the lease of a RUNNING or CANCELLING attempt. One write unit."""
        change = heartbeat_change(job, fence=fence, lease_until=lease_until)
        answer = self._table.update("heartbeat", change)
        return None if isinstance(answer, Refused) else parse_job(answer).state

    def finish(
        self,
        job: str,
        *,
        fence: int,
        outcome: Outcome,
        reason: str,
        now: datetime,
        hops: Mapping[str, datetime] | None = None,
    ) -> Job | None:
        """LEASED, RUNNING or CANCELLING → DONE; frees both slots. Six write units."""
        seen = self.get_job(job)
        for _ in range(_ROUNDS):
            if seen is None or seen.fence != fence or not seen.host:
                return None  # without a host no attempt of this fence is left, or ever was
            if not seen.live:
                return seen  # DONE by this fence: only an attempt's end leaves the host there
            ended = ended_by(seen, outcome=outcome, reason=reason, now=now, hops=hops)
            refusals = self._table.transact(
                "finish",
                end_change(seen, ended),
                self._free_slot(seen, now=now),
                free_host_slot(seen),
            )
            if refusals is None:
                return ended
            seen = met(refusals[0])
        raise StoreUnavailableError(reason=f"job {job} moved {_ROUNDS} times under its finish")

    def release(self, job: str, *, fence: int, reason: str, now: datetime) -> bool:
        """LEASED with this fence → READY; the attempt is not charged. Five write units.

        The protocol's price of two is that of a job without a host; the host's slot must go in the
        same transaction, or a crash between two writes would leak it.
        """
        seen = self.get_job(job)
        if seen is None or seen.fence != fence or seen.state is not JobState.LEASED:
            return is_back(seen, fence)
        return self._send_back("release", seen, reason=reason, now=now, charged=False)

    def requeue(self, job: Job, *, reason: str, now: datetime) -> bool:
        """LEASED or RUNNING → READY, if fence and lease are still as in `job`. Five write units."""
        if not job.live or job.lease_until is None:
            return False
        return self._send_back("requeue", job, reason=reason, now=now, charged=True)

    def cancel(self, job: str, *, outcome: Outcome, reason: str, now: datetime) -> Job | None:
        """Cancel in any state. Two write units when PENDING, five when READY, one when live."""
        for _ in range(_ROUNDS):
            seen = self.get_job(job)
            if seen is None or seen.state in {JobState.DONE, JobState.CANCELLING}:
                return seen
            ended = ended_by(seen, outcome=outcome, reason=reason, now=now)
            after = (
                self._cancel_live(seen, outcome, reason)
                if seen.live
                else self._cancel_queued(seen, ended, now)
            )
            if after is not None:
                return after
        raise StoreUnavailableError(reason=f"job {job} moved {_ROUNDS} times under its cancel")

    def _cancel_live(self, seen: Job, outcome: Outcome, reason: str) -> Job | None:
        change = cancelling(seen, outcome=outcome, reason=reason)
        answer = self._table.update("cancel", change)
        return None if isinstance(answer, Refused) else parse_job(answer)

    def _cancel_queued(self, seen: Job, ended: Job, now: datetime) -> Job | None:
        change = end_change(seen, ended)
        if seen.state is JobState.READY:
            slot = self._free_slot(seen, now=now)
            return ended if self._table.transact("cancel", change, slot) is None else None
        return None if isinstance(self._table.update("cancel", change), Refused) else ended

    def _send_back(
        self, verb: str, seen: Job, *, reason: str, now: datetime, charged: bool
    ) -> bool:
        lane = _lane(self.get_pool(seen.pool), seen.id)
        change = back_to_ready(seen, lane=lane, reason=reason, now=now, charged=charged)
        refusals = self._table.transact(verb, change, free_host_slot(seen))
        return refusals is None or is_back(met(refusals[0]), seen.fence)

    def _promote_job(self, job: str, now: datetime) -> bool | None:
        """Return whether the job is READY by this call; None when its tenant has no room."""
        raw = self._table.get(job_key(job))
        item = read(JobItem, raw) if raw else None
        if item is None or item.state != JobState.PENDING.value:
            return False  # a ghost of the index
        slots = self._slots(item.tenant)
        shard = slots.shard_for(job) if slots else None
        if slots is None or shard is None:
            return None
        change = promote_change(
            job,
            lane=_lane(self.get_pool(item.pool), job),
            stamp=_stamp(slots, int(item.priority_s), now),
            shard=shard,
            now=now,
        )
        slot = self._take_slot(item.tenant, job, shard=shard, now=now)
        refusals = self._table.transact("promote", change, slot)
        if refusals is None:
            return True
        return None if refusals[0] is None else _is_own(refusals[0], "ready", now)

    def _before_admission(self, job: NewJob) -> tuple[Slots, Pool] | None:
        """Return tenant (created if need be) and pool; None when the job exists already."""
        keys = (job_key(job.id), tenant_key(job.tenant), pool_key(job.pool))
        found = {raw["pk"]["S"]: raw for raw in self._table.get_many(keys)}
        if keys[0].pk in found:
            return None
        tenant, pool = found.get(keys[1].pk), found.get(keys[2].pk)
        return (
            self._slots_in(tenant) if tenant else self._created(job.tenant),
            parse_pool(pool) if pool else Pool(id=job.pool),
        )


def _entries(found: Sequence[tuple[str, str]]) -> list[Lane]:
    keys = (parse_sort_key(order) for _, order in found)
    return [Lane(job=job, stamp=stamp) for stamp, job in keys]


def _place(entry: Lane) -> tuple[int, str]:
    return entry.stamp, entry.job


def _stamp(slots: Slots, priority_s: int, now: datetime) -> int:
    return fair_stamp(
        now=now,
        priority_s=priority_s,
        slots_in_use=len(slots.tenant.jobs),
        weight=slots.tenant.weight,
    )


def _lane(pool: Pool, job: str) -> str:
    return f"R#{pool.id}#{zlib.crc32(job.encode()) % pool.lanes}"


def _is_own(refused: Refused, hop: str, now: datetime) -> bool:
    """Return whether what was met is this very call's work, whose answer was lost (rule 1.4b)."""
    found = met(refused) if refused.repeated else None
    return found is not None and found.hops.get(hop) == from_ms(to_ms(now))
