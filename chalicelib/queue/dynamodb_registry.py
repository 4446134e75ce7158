"""What the queue over DynamoDB knows besides its verbs: jobs to read, hosts, the sweeper's mark.

`dynamodb.DynamoQueue` is built on this; nobody else needs it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from chalicelib.clock import from_ms, to_ms
from chalicelib.errors import NotFoundError, StoreUnavailableError
from chalicelib.model import HOLDS_SLOT, Host, HostState, Job
from chalicelib.queue.dynamodb_groups import Groups
from chalicelib.queue.dynamodb_items import (
    HostItem,
    Item,
    SweepItem,
    host_key,
    job_key,
    parse_host,
    parse_job,
    pool_key,
    read,
    sweep_key,
)
from chalicelib.queue.dynamodb_pools import Pools
from chalicelib.queue.dynamodb_table import Change, Key, Refused
from chalicelib.queue.dynamodb_tenants import Tenants

__all__ = ["Registry"]

_EVERYTHING = 100_000
_ROUNDS = 3


class Registry(Tenants, Pools, Groups):
    """Reads of jobs; reads and writes of tenants, pools, groups, hosts and the sweeper's mark."""

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
        for tenant in self.active_tenants():
            for job in self.get_jobs(tenant.jobs).values():
                if job.state in HOLDS_SLOT:  # it may have ended between the two reads
                    yield job

    def register_host(self, host: Host) -> Host:
        """Create or update a host, and its pool's record. Its jobs are kept, and its draining.

        The state is decided by conditions and not by a look: a late registration would undo a drain
        or a resume that came between the two.
        """
        pool = [
            Item.partition.set("L"),
            Item.order.set(host.pool),
        ]
        self._table.update("register_host", Change(key=pool_key(host.pool), actions=pool))
        actions = [
            Item.partition.set(f"H#{host.pool}"),
            Item.order.set(host.id),
            HostItem.jobs.set(HostItem.jobs | {}),
            HostItem.pool.set(host.pool),
            HostItem.slots.set(host.slots),
            HostItem.generation.set(host.generation),
            HostItem.address.set(host.address),
        ]
        draining = HostItem.state == HostState.DRAINING.value
        key = host_key(host.id)
        as_told = Change(
            key=key,
            actions=[*actions, HostItem.state.set(host.state.value)],
            condition=HostItem.pk.does_not_exist() | ~draining,
        )
        drained = Change(key=key, actions=actions, condition=draining)
        for change in (as_told, drained) * _ROUNDS:
            answer = self._table.update("register_host", change)
            if not isinstance(answer, Refused):
                return parse_host(answer)
        raise StoreUnavailableError(reason=f"host {host.id} is drained and resumed all the time")

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
        mark = [SweepItem.at.set(to_ms(now))]
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

    def swept_since(self, *, now: datetime, longest_gap: timedelta) -> datetime | None:
        """Return since when the sweeper has passed without a gap; None if it is in one now."""
        raw = self._table.get(sweep_key())
        mark = read(SweepItem, raw) if raw else None
        if mark is None or int(mark.at) < to_ms(now - longest_gap):
            return None
        return from_ms(int(mark.since))
