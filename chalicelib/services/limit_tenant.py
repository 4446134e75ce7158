"""Change how many slots a tenant may hold, and let its jobs have those that this makes free."""

from chalicelib.model import Tenant
from chalicelib.services.claim_job import claim_ready
from chalicelib.services.context import Berth
from chalicelib.services.show_queue import known_pools

__all__ = ["limit_tenant"]

_PROMOTIONS = 20
"""As many as one host may well take; the sweeper promotes the others."""


def limit_tenant(berth: Berth, tenant: str, *, limit: int, weight: int | None = None) -> Tenant:
    """Set the limit at once, promote and claim for it; return the tenant. Safe to repeat.

    What runs above a lower limit runs on; the tenant gets no slot until it is below.

    Args:
        berth: the drivers.
        tenant: its id; one that is not known yet is made.
        limit: slots it may hold.
        weight: its share beside others; None keeps it.

    Raises:
        PayloadError: the limit or the weight is out of its bounds.
        StoreUnavailableError: the store or Step Functions did not answer.
    """
    known = berth.queue.get_tenant(tenant)
    if weight is None:
        weight = known.weight if known else 1
    changed = berth.queue.put_tenant_limit(tenant, limit=limit, weight=weight)
    promoted = 0
    while promoted < _PROMOTIONS and berth.queue.promote(tenant, now=berth.clock.now()):
        promoted += 1
    if promoted:
        for pool in known_pools(berth):
            claim_ready(berth, pool=pool)
    return berth.queue.get_tenant(tenant) or changed
