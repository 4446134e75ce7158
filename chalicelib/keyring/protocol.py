"""The contract of the keyring: the installation's secrets, and nonces that are spent once."""

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

__all__ = ["Keyring", "Keys", "Secret"]


class Secret:
    """A secret text that prints as stars. `reveal()` is the only way to the text.

    Not a `str` subclass on purpose: a join, a format or a JSON encoder must not reveal it.

    >>> Secret("swordfish")
    Secret('***')
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text."""
        return self._text

    def equals(self, other: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self._text.encode(), other.encode("utf-8", "replace"))

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The installation's secrets.

    Attributes:
        webhook: secrets a delivery may be signed with; two during rotation.
        ticket: key of the attempts' bearer tokens.
        page: the token of pages and API.
    """

    webhook: tuple[Secret, ...]
    ticket: Secret
    page: Secret


class Keyring(Protocol):
    """Reads secrets and spends nonces."""

    def keys(self, *, now: datetime) -> Keys:
        """Return the secrets, at most five minutes old, so that a rotation takes hold.

        Raises:
            SettingError: the secret is missing or not of the form
                `{"webhook": ["…"], "ticket": "…", "page": "…"}`.
            StoreUnavailableError: Secrets Manager did not answer.
        """
        ...

    def spend(self, nonce: str, *, expires: datetime) -> bool:
        """Return True for the first call with this nonce, False for every other."""
        ...
