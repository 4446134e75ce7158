"""The states of a job and the literal table of its transitions.

Rule of this file: names and tables only; nothing here reads, writes or decides by itself.
The table is the queue protocol's (docs/decisions/0002-queue-protocol.md).
"""

from enum import StrEnum

__all__ = [
    "HOLDS_SLOT",
    "LIVE",
    "QUEUED",
    "TRANSITIONS",
    "Event",
    "HostState",
    "JobState",
    "Outcome",
]


class JobState(StrEnum):
    """Where a job is on its way. DONE is absorbing."""

    WAITING = "waiting"  # needs other jobs; has no item yet, so that it is admitted by one put
    PENDING = "pending"  # its tenant is at its limit
    READY = "ready"  # holds the tenant's slot, waits for a host slot
    LEASED = "leased"  # claimed; its container is being made
    RUNNING = "running"  # bound to a host
    CANCELLING = (
        "cancelling"  # cancelled while an attempt lives; the slot stays taken until it is gone
    )
    DONE = "done"


class Outcome(StrEnum):
    """How a job ended. Infrastructure is never shown as a failed test."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    TIMED_OUT = "timed_out"
    INFRASTRUCTURE = "infrastructure"


class HostState(StrEnum):
    """Whether a host takes jobs. A draining or lost host is not capacity."""

    UP = "up"
    DRAINING = "draining"
    LOST = "lost"


class Event(StrEnum):
    """What moves a job, named by the queue's verbs."""

    UNLOCK = "unlock"  # the last needed job succeeded and the tenant has no room
    ADMIT = "admit"
    PROMOTE = "promote"
    CLAIM = "claim"
    BIND = "bind"
    RELEASE = "release"  # the claimer could not use its claim
    REQUEUE = "requeue"  # the lease was lost and attempts are left
    CANCEL = "cancel"
    FINISH = "finish"


TRANSITIONS: dict[tuple[JobState, Event], JobState] = {
    (JobState.WAITING, Event.ADMIT): JobState.READY,
    (JobState.WAITING, Event.UNLOCK): JobState.PENDING,
    (JobState.WAITING, Event.CANCEL): JobState.DONE,  # a need failed, or the pipeline was cancelled
    (JobState.PENDING, Event.PROMOTE): JobState.READY,
    (JobState.PENDING, Event.CANCEL): JobState.DONE,
    (JobState.READY, Event.CLAIM): JobState.LEASED,
    (JobState.READY, Event.CANCEL): JobState.DONE,
    (JobState.LEASED, Event.BIND): JobState.RUNNING,
    (JobState.LEASED, Event.RELEASE): JobState.READY,
    (JobState.LEASED, Event.REQUEUE): JobState.READY,
    (JobState.LEASED, Event.CANCEL): JobState.CANCELLING,
    (JobState.LEASED, Event.FINISH): JobState.DONE,
    (JobState.RUNNING, Event.BIND): JobState.RUNNING,  # repeated by the same host
    (JobState.RUNNING, Event.REQUEUE): JobState.READY,
    (JobState.RUNNING, Event.CANCEL): JobState.CANCELLING,
    (JobState.RUNNING, Event.FINISH): JobState.DONE,
    (JobState.CANCELLING, Event.CANCEL): JobState.CANCELLING,
    (JobState.CANCELLING, Event.FINISH): JobState.DONE,
}

QUEUED = frozenset({JobState.PENDING, JobState.READY})
"""The states in which a job is in the sparse index (invariant S3)."""

LIVE = frozenset({JobState.LEASED, JobState.RUNNING, JobState.CANCELLING})
"""The states in which an attempt exists."""

HOLDS_SLOT = LIVE | {JobState.READY}
"""The states in which the job is in its tenant's set (invariant S2)."""
