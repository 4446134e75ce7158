"""A keyring with given keys. A verified fake for tests of services and routes."""

from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.keyring.protocol import Keys, Secret

__all__ = ["MemoryKeyring"]


@dataclass(slots=True)
class MemoryKeyring:
    """Holds keys and the nonces spent so far."""

    held: Keys = field(
        default_factory=lambda: Keys(
            webhook=(Secret("webhook-secret"),),
            ticket=Secret("ticket-key"),
            page=Secret("page-token"),
        )
    )
    spent: set[str] = field(default_factory=set)

    def keys(self, *, now: datetime) -> Keys:  # noqa: ARG002 - of the contract
        """See `Keyring.keys`."""
        return self.held

    def spend(self, nonce: str, *, expires: datetime) -> bool:  # noqa: ARG002 - of the contract
        """See `Keyring.spend`."""
        fresh = nonce not in self.spent
        self.spent.add(nonce)
        return fresh
