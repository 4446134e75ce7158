"""What an operator changes of a pool: whether its jobs are claimed, and over how many lanes they spread."""

from chalicelib.errors import NotFoundError
from chalicelib.services.claim_job import claim_ready
from chalicelib.services.context import Berth
from chalicelib.services.show_queue import known_pools

__all__ = ["pause_claims", "resume_claims", "spread_over_lanes"]


def pause_claims(berth: Berth, pool: str | None, *, reason: str) -> None:
    """Let no job of the pool be claimed, or no job at all. What runs goes on. Safe to repeat.

    Args:
        berth: the drivers.
        pool: its name; None stops every pool.
        reason: shown to whoever waits.

    Raises:
        NotFoundError: there is no such pool.
        StoreUnavailableError: the store did not answer.
    """
    _check(berth, pool)
    berth.queue.pause(pool, reason=reason)


def resume_claims(berth: Berth, pool: str | None) -> list[str]:
    """Let jobs be claimed again, and claim at once; return the ids of those claimed. Safe to repeat.

    A pool that was stopped by itself stays so when everything is resumed, and the other way round.

    Raises:
        NotFoundError: there is no such pool.
        StoreUnavailableError: the store or Step Functions did not answer; the sweeper claims.
    """
    _check(berth, pool)
    berth.queue.pause(pool, reason="")
    names = known_pools(berth) if pool is None else [pool]
    return [job.id for name in names for job in claim_ready(berth, pool=name)]


def spread_over_lanes(berth: Berth, pool: str, *, lanes: int) -> None:
    """Set how many lanes the pool's jobs are put into from now on. Safe to repeat.

    Raises:
        NotFoundError: there is no such pool.
        PayloadError: it is not 1 to 64.
        StoreUnavailableError: the store did not answer.
    """
    _check(berth, pool)
    berth.queue.put_pool_lanes(pool, lanes=lanes, now=berth.clock.now())


def _check(berth: Berth, pool: str | None) -> None:
    # A pool's record is made by whoever sets something: a slip of the pen would look like success.
    names = known_pools(berth)
    if pool is not None and pool not in names:
        raise NotFoundError(reason=f"no pool {pool}; there are: {', '.join(names)}")
