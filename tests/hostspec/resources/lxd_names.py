"""Names for objects of the machine's LXD that a test makes, which no other run has."""

import os

__all__ = ["ours"]


def ours(name: str) -> str:
    """Return the name with this process in it; at most 15 characters, as interfaces want."""
    return f"{name[:5]}{os.getpid():07d}"
