"""What the queue over DynamoDB knows besides its verbs: jobs to read, tenants, hosts, the sweeper.

`dynamodb.DynamoQueue` is built on this; nobody else needs it.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.clock import from_ms, to_ms
from chalicelib.errors import NotFoundError, StoreUnavailableError
from chalicelib.model import HOLDS_SLOT, Host, HostState, Job, Tenant
from chalicelib.queue.dynamodb_changes import fewer_than
from chalicelib.queue.dynamodb_items import (
    ITEM_VERSION,
    HostItem,
    Item,
    SweepItem,
    TenantItem,
    host_key,
    job_key,
    parse_host,
    parse_job,
    parse_tenant,
    read,
    sweep_key,
    tenant_key,
)
from chalicelib.queue.dynamodb_table import Change, DynamoTable, Key, Refused

__all__ = ["Registry"]

_ACTIVE_PARTITIONS = 8
_EVERYTHING = 100_000
_ROUNDS = 3


class Registry:
    """Reads of jobs; reads and writes of tenants, hosts and the sweeper's mark."""

    def __init__(self, table: str | DynamoTable, *, default_limit: int) -> None:
        """Serve the table; `default_limit` holds for tenants that nobody gave a limit."""
        self._table = DynamoTable(table) if isinstance(table, str) else table
        self._default_limit = default_limit

    def get_job(self, job: str) -> Job | None:
        """Return the job, read consistently."""
        raw = self._table.get(job_key(job))
        return parse_job(raw) if raw else None

    def get_jobs(self, jobs: Iterable[str]) -> Mapping[str, Job]:
        """Return those of the jobs that exist, by id, each read consistently."""
        found = map(parse_job, self._table.get_many(job_key(job) for job in jobs))
        return {job.id: job for job in found}

    def live_jobs(self) -> Iterator[Job]:
        """Yield every job that holds a tenant's slot. The tenants' sets are the index of these."""
        for tenant in self._active_tenants():
            for job in self.get_jobs(tenant.jobs).values():
                if job.state in HOLDS_SLOT:  # it may have ended between the two reads
                    yield job

    def pending_tenants(self) -> Iterator[str]:
        """Yield every tenant that may have a backlog: the active ones."""
        for number in range(_ACTIVE_PARTITIONS):
            for _, tenant in self._table.query(f"A#{number}", limit=_EVERYTHING):
                yield tenant

    def get_tenant(self, tenant: str) -> Tenant | None:
        """Return the tenant, read consistently; None before its first job."""
        raw = self._table.get(tenant_key(tenant))
        return parse_tenant(raw, default_limit=self._default_limit) if raw else None

    def put_tenant_limit(self, tenant: str, *, limit: int, weight: int = 1) -> None:
        """Create the tenant or change its limit; what runs above a lower limit runs on."""
        limits = [TenantItem.limit.set(limit), TenantItem.weight.set(weight)]
        change = Change(key=tenant_key(tenant), actions=[*_tenant_exists(tenant), *limits])
        self._table.update("put_tenant_limit", change)

    def register_host(self, host: Host) -> Host:
        """Create or update a host: slots, state, generation, address. Its jobs are kept."""
        change = Change(
            key=host_key(host.id),
            actions=[
                Item.version.set(ITEM_VERSION),
                Item.partition.set(f"H#{host.pool}"),
                Item.order.set(host.id),
                HostItem.jobs.set(HostItem.jobs | {}),
                HostItem.pool.set(host.pool),
                HostItem.slots.set(host.slots),
                HostItem.state.set(host.state.value),
                HostItem.generation.set(host.generation),
                HostItem.address.set(host.address),
            ],
        )
        answer = self._table.update("register_host", change)
        return host if isinstance(answer, Refused) else parse_host(answer)

    def set_host_state(self, host: str, state: HostState) -> None:
        """Change whether the host takes jobs.

        Raises:
            NotFoundError: no such host.
        """
        change = Change(
            key=host_key(host),
            actions=[HostItem.state.set(state.value)],
            condition=HostItem.pk.exists(),
        )
        if isinstance(self._table.update("set_host_state", change), Refused):
            raise NotFoundError(reason=f"no host {host}")

    def get_host(self, host: str) -> Host | None:
        """Return the host, read consistently."""
        raw = self._table.get(host_key(host))
        return parse_host(raw) if raw else None

    def hosts(self, pool: str) -> Sequence[Host]:
        """Return all hosts of the pool, by id."""
        keys = [Key(pk) for pk, _ in self._table.query(f"H#{pool}", limit=_EVERYTHING)]
        found = map(parse_host, self._table.get_many(keys))
        return sorted((host for host in found if host.pool == pool), key=lambda host: host.id)

    def note_sweep(self, *, now: datetime, longest_gap: timedelta) -> datetime:
        """Record that the sweeper passes now; return since when it has passed without a gap.

        One write unit. Two conditional writes instead of a read and a write, so that a repeat after
        a lost answer finds its own mark and gives the same answer.
        """
        oldest = to_ms(now - longest_gap)
        mark = [Item.version.set(ITEM_VERSION), SweepItem.at.set(to_ms(now))]
        on_time = Change(key=sweep_key(), actions=mark, condition=SweepItem.at >= oldest)
        anew = Change(
            key=sweep_key(),
            actions=[*mark, SweepItem.since.set(to_ms(now))],
            condition=SweepItem.at.does_not_exist() | (SweepItem.at < oldest),
        )
        for change in (on_time, anew) * _ROUNDS:
            answer = self._table.update("note_sweep", change)
            if not isinstance(answer, Refused):
                return from_ms(int(read(SweepItem, answer).since))
        raise StoreUnavailableError(reason="other sweepers pass at the same time")

    def _active_tenants(self) -> Iterator[Tenant]:
        keys = map(tenant_key, self.pending_tenants())
        for raw in self._table.get_many(keys):
            yield parse_tenant(raw, default_limit=self._default_limit)

    def _create_tenant(self, tenant: str) -> Tenant:
        # A nested SET needs its parent, so the map must be there before the first slot (trap T24).
        change = Change(key=tenant_key(tenant), actions=_tenant_exists(tenant))
        answer = self._table.update("create_tenant", change)
        if isinstance(answer, Refused):
            return Tenant(id=tenant, limit=self._default_limit)
        return parse_tenant(answer, default_limit=self._default_limit)

    def _take_slot(self, tenant: str, job: str) -> Change:
        return Change(
            key=tenant_key(tenant),
            actions=[TenantItem.jobs[job].set(1), *_active(tenant)],
            condition=self._has_room() & TenantItem.jobs[job].does_not_exist(),
        )

    def _free_slot(self, tenant: str, job: str) -> Change:
        return Change(key=tenant_key(tenant), actions=[TenantItem.jobs[job].remove()])

    def _has_room(self) -> Condition:
        by_own = fewer_than(TenantItem.jobs, TenantItem.limit)
        by_default = fewer_than(TenantItem.jobs, self._default_limit)
        room: Condition = by_own | (TenantItem.limit.does_not_exist() & by_default)
        return room


def _tenant_exists(tenant: str) -> list[Action]:
    return [
        Item.version.set(ITEM_VERSION),
        TenantItem.jobs.set(TenantItem.jobs | {}),
        *_active(tenant),
    ]


def _active(tenant: str) -> list[Action]:
    # Written with every slot: free while it is there already, and a tenant that was dropped from
    # the index for idleness comes back by itself.
    partition = zlib.crc32(tenant.encode()) % _ACTIVE_PARTITIONS
    return [Item.partition.set(f"A#{partition}"), Item.order.set(tenant)]
