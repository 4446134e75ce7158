"""Register a host by hand: the `static` provider."""

from dataclasses import replace

from chalicelib.model import Host
from chalicelib.services.claim_job import claim_ready
from chalicelib.services.context import Berth

__all__ = ["register_host"]


def register_host(berth: Berth, host: Host) -> Host:
    """Create or update a host and claim for its free slots; return it as stored. Safe to repeat.

    One that is being drained stays so: only who drained it ends that.

    Raises:
        HostUnreachableError: the host did not answer.
        StoreUnavailableError: the store did not answer.
    """
    generation = berth.host(host).generation()
    stored = berth.queue.register_host(replace(host, generation=generation))
    claim_ready(berth, pool=host.pool)
    return stored
