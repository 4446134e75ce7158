"""Give a READY job a host's slot, and start its attempt."""

from collections.abc import Sequence

from chalicelib.model import Host, HostState, Job
from chalicelib.services.context import Berth

__all__ = ["claim_job", "claim_ready"]

_PAGE = 50
_HOSTS_TRIED = 3
"""A job that none of three hosts with room could take has most likely been claimed by another."""


def claim_job(berth: Berth, job: str, *, pool: str) -> Job | None:
    """Claim this job on a host of the pool and start its execution; None if it must wait.

    Safe to repeat: one claim wins. If the execution cannot be started the claim's lease runs out
    and the sweeper gives the job to another attempt.

    Raises:
        StoreUnavailableError: the store or Step Functions did not answer.
    """
    if berth.queue.get_pool(pool).barrier(berth.clock.now()):
        return None
    return _claim_on(berth, job, _free(berth, pool))


def claim_ready(berth: Berth, *, pool: str, most: int = 20) -> list[Job]:
    """Claim the pool's READY jobs, nearly in order, while hosts have room; return those claimed.

    As many jobs as hosts have room for now are as good as equal, since all of them can start: one of
    these is taken, at random. At the head many claimers would meet, and every meeting wastes writes.
    Where one slot is free the head is taken: to take another one would let the head wait for the
    next slot, and in a lane that is full and slow a job would be overtaken for many minutes.

    Raises:
        StoreUnavailableError: the store or Step Functions did not answer.
    """
    if berth.queue.get_pool(pool).barrier(berth.clock.now()):
        return []
    waiting = list(berth.queue.ready(pool, limit=_PAGE))
    claimed: list[Job] = []
    hosts = _free(berth, pool) if waiting else []
    while waiting and hosts and len(claimed) < most:
        entry = waiting.pop(_index(berth, min(_room(hosts), len(waiting))))
        job = _claim_on(berth, entry.job, hosts)
        if job is not None:
            claimed.append(job)
            hosts = _free(berth, pool)
    return claimed


def _free(berth: Berth, pool: str) -> list[Host]:
    """Return hosts with room. Of a random pair the emptier comes first, so that claimers spread."""
    hosts = [
        host
        for host in berth.queue.hosts(pool)
        if host.state is HostState.UP and len(host.jobs) < host.slots
    ]
    mixed = [hosts.pop(_index(berth, len(hosts))) for _ in range(len(hosts))]
    return sorted(mixed[:2], key=lambda host: len(host.jobs) - host.slots) + mixed[2:]


def _room(hosts: Sequence[Host]) -> int:
    return sum(host.slots - len(host.jobs) for host in hosts)


def _index(berth: Berth, count: int) -> int:
    return min(count - 1, int(berth.random.uniform(0, count)))


def _claim_on(berth: Berth, job: str, hosts: Sequence[Host]) -> Job | None:
    for host in hosts[:_HOSTS_TRIED]:
        now = berth.clock.now()
        claimed = berth.queue.claim(
            job,
            host=host,
            nonce=berth.nonce(),
            lease_until=now + berth.policy.claim_lease,
            now=now,
        )
        if claimed is not None:
            berth.sequencer.start(claimed.id, claimed.fence)
            return claimed
    return None
