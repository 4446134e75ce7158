"""Give a freed slot to whoever is next."""

from chalicelib.services.claim_job import claim_ready
from chalicelib.services.context import Berth

__all__ = ["pass_on_slot"]

_CLAIMS = 4
"""One slot was freed; the rest is for claims that somebody else has missed."""


def pass_on_slot(berth: Berth, *, tenant: str, pool: str) -> None:
    """Promote the tenant's next job and claim for the freed host slot. Safe to repeat.

    Raises:
        StoreUnavailableError: the store or Step Functions did not answer; the sweeper goes on.
    """
    berth.queue.promote(tenant, now=berth.clock.now())
    claim_ready(berth, pool=pool, most=_CLAIMS)
