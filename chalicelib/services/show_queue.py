"""Read what an operator asks for: pools with their hosts, tenants, and what is stopped."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from chalicelib.model import Host, Pool, Tenant
from chalicelib.services.context import Berth

__all__ = ["COUNTED", "ShownPool", "ShownQueue", "ShownTenant", "known_pools", "show_queue"]

COUNTED = 100
"""Entries of a queue are counted up to this; a long one costs no more to look at than a short one."""
_TENANTS = 200
"""Each takes a read of its backlog; all of them have to fit in one call of the API."""
_DEFAULT_POOL = "default"
_NO_POOL = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPool:
    """A pool; `ready` is how many jobs wait in its lanes, `breaker` why it is closed, or empty."""

    pool: Pool
    breaker: str
    ready: int
    hosts: tuple[Host, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownTenant:
    """A tenant; `backlog` is how many of its jobs wait for a slot of its own."""

    tenant: Tenant
    backlog: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownQueue:
    """The queue as it is now.

    Attributes:
        pools: by name.
        tenants: those that have jobs, or had some lately.
        more: whether there are tenants beside these.
        paused: why everything is stopped; empty when it is not.
    """

    pools: tuple[ShownPool, ...]
    tenants: tuple[ShownTenant, ...]
    more: bool
    paused: str


def show_queue(berth: Berth) -> ShownQueue:
    """Return the queue as it is now; what is counted comes from the index, which may lag.

    Raises:
        StoreUnavailableError: the store did not answer.
    """
    tenants = list(islice(berth.queue.active_tenants(), _TENANTS + 1))
    return ShownQueue(
        pools=tuple(_pool(berth, name) for name in known_pools(berth)),
        tenants=tuple(_tenant(berth, tenant) for tenant in tenants[:_TENANTS]),
        more=len(tenants) > _TENANTS,
        # A pool that nobody could register is stopped only by what stops them all.
        paused=berth.queue.get_pool(_NO_POOL).paused,
    )


def known_pools(berth: Berth) -> Sequence[str]:
    """Return the names of all pools, the default one too before it has its first host."""
    return sorted({_DEFAULT_POOL, *berth.queue.pools()})


def _pool(berth: Berth, name: str) -> ShownPool:
    pool = berth.queue.get_pool(name)
    return ShownPool(
        pool=pool,
        breaker=replace(pool, paused="").barrier(berth.clock.now()),
        ready=len(berth.queue.ready(name, limit=COUNTED)),
        hosts=tuple(berth.queue.hosts(name)),
    )


def _tenant(berth: Berth, tenant: Tenant) -> ShownTenant:
    return ShownTenant(tenant=tenant, backlog=len(berth.queue.backlog(tenant.id, limit=COUNTED)))
