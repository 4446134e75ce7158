"""Take a host out of service and back into it."""

from chalicelib.errors import NotFoundError
from chalicelib.model import Host, HostState
from chalicelib.services.claim_job import claim_ready
from chalicelib.services.context import Berth

__all__ = ["drain_host", "resume_host"]


def drain_host(berth: Berth, host: str) -> Host:
    """Let the host take no further job; what runs on it goes on. Safe to repeat.

    Raises:
        NotFoundError: there is no such host.
        StoreUnavailableError: the store did not answer.
    """
    berth.queue.set_host_state(host, HostState.DRAINING)
    return _found(berth, host)


def resume_host(berth: Berth, host: str) -> Host:
    """Let the host take jobs again, and claim for its free slots at once. Safe to repeat.

    Raises:
        NotFoundError: there is no such host.
        StoreUnavailableError: the store or Step Functions did not answer; the sweeper claims.
    """
    berth.queue.set_host_state(host, HostState.UP)
    claim_ready(berth, pool=_found(berth, host).pool)
    return _found(berth, host)


def _found(berth: Berth, host: str) -> Host:
    found = berth.queue.get_host(host)
    if found is None:
        raise NotFoundError(reason=f"no host {host}")
    return found
