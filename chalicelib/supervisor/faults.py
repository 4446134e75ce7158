"""What can end an attempt from outside its steps.

These never leave the supervisor's process, so they are plain exceptions and not part of the tree in
`chalicelib/errors.py`, which the host does not have.
"""

from __future__ import annotations

__all__ = ["AttemptLostError", "InfrastructureError", "StepRefusedError"]


class InfrastructureError(Exception):
    """The machinery failed, not the user's code: LXD, the disk, the fetch of the commit."""


class AttemptLostError(Exception):
    """The control plane has disowned this attempt; nothing more may be reported of it."""


class StepRefusedError(Exception):
    """A step cannot run for a reason that its author can mend: no such directory, no git."""
