"""Give a READY job a host's slot, and start its attempt."""

from collections.abc import Sequence

from chalicelib.model import Host, HostState, Job
from chalicelib.services.context import Berth

__all__ = ["claim_job", "claim_ready"]


def claim_job(berth: Berth, job: str, *, pool: str) -> Job | None:
    """Claim this job on the emptiest host of the pool and start its execution; None if it must wait.

    Safe to repeat: one claim wins. If the execution cannot be started the claim's lease runs out
    and the sweeper gives the job to another attempt.

    Raises:
        StoreUnavailableError: the store or Step Functions did not answer.
    """
    return _claim_on(berth, job, _free(berth.queue.hosts(pool)))


def claim_ready(berth: Berth, *, pool: str, most: int = 20) -> list[Job]:
    """Claim the pool's READY jobs in order while hosts have room; return those claimed.

    Raises:
        StoreUnavailableError: the store or Step Functions did not answer.
    """
    claimed: list[Job] = []
    for entry in berth.queue.ready(pool, limit=most):
        hosts = _free(berth.queue.hosts(pool))
        if not hosts:
            break
        job = _claim_on(berth, entry.job, hosts)
        if job is not None:
            claimed.append(job)
    return claimed


def _free(hosts: Sequence[Host]) -> list[Host]:
    free = [host for host in hosts if host.state is HostState.UP and len(host.jobs) < host.slots]
    return sorted(free, key=lambda host: len(host.jobs) - host.slots)


def _claim_on(berth: Berth, job: str, hosts: Sequence[Host]) -> Job | None:
    for host in hosts:
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
