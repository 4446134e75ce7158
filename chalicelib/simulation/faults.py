"""What can break where, and how often: drawn anew for each seed.

A seed has its own mix (swarm testing): some kinds are off, one is a favourite, a few operations fail
far more often than the others; so that rare conditions meet. `MENU` is the literal table of what is
meant to be injected; a test asserts that all of it was.
"""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from random import Random
from typing import Protocol

__all__ = ["MENU", "Fault", "FaultSource", "Faults"]


class Fault(StrEnum):
    """One way in which a call can go wrong."""

    ERROR = "error"  # nothing was applied
    LOST = "lost answer"  # applied, but the caller gets an error
    TWICE = "sent twice"
    CONFLICT = "conflict"
    THROTTLE = "throttle"
    KILL_BEFORE = "kill before"
    KILL_AFTER = "kill after"
    ZOMBIE = "pause"  # for long, then it goes on as if nothing had happened
    IN_PROGRESS = "in progress"  # applied, and said to be still worked on
    LEFT_OVER = "left over"  # half of a batch
    FORGOTTEN = "token forgotten"  # as if the transaction were repeated after ten minutes
    NOT_RUN = "not run"  # a Lambda that AWS did not start


_KILLS = (Fault.KILL_BEFORE, Fault.KILL_AFTER)
_READ = (Fault.ERROR, Fault.THROTTLE, *_KILLS, Fault.ZOMBIE)
_WRITE = (*_READ, Fault.LOST, Fault.TWICE, Fault.CONFLICT)
_EFFECT = (Fault.ERROR, Fault.LOST, Fault.TWICE, *_KILLS, Fault.ZOMBIE)
_LOOK = (Fault.ERROR, *_KILLS, Fault.ZOMBIE)
_MESSAGE = (Fault.ERROR, Fault.LOST, Fault.TWICE)
_INVOKED = (Fault.NOT_RUN, Fault.LOST, Fault.TWICE)

MENU: Mapping[str, tuple[Fault, ...]] = {
    "GetItem": _READ,
    "BatchGetItem": (*_READ, Fault.LEFT_OVER),
    "Query": _READ,
    "PutItem": _WRITE,
    "UpdateItem": _WRITE,
    "TransactWriteItems": (*_WRITE, Fault.IN_PROGRESS, Fault.FORGOTTEN),
    "BatchWriteItem": (*_READ, Fault.LOST, Fault.TWICE, Fault.LEFT_OVER),
    "plan": _EFFECT,
    "start": _EFFECT,
    "stop": _EFFECT,
    "open_executions": _LOOK,
    "heartbeat": _EFFECT,
    "succeed": _EFFECT,
    "make_container": _EFFECT,
    "start_supervisor": _EFFECT,
    "cancel_attempt": _EFFECT,
    "remove_attempt": _EFFECT,
    "attempts": _LOOK,
    "diagnose": _LOOK,
    "killed_in": _LOOK,
    "generation": _LOOK,
    "PutObject": _EFFECT,
    "GetObject": _LOOK,
    "HeadObject": _LOOK,
    "read_file": _LOOK,
    "read_head": _LOOK,
    "invoke": _INVOKED,
    "http": _MESSAGE,
}
"""Operation → kinds. The first seven are DynamoDB's, then sequencer, host, S3, GitHub, Lambda."""

_RATES = (0.0, 0.02, 0.05, 0.1)
_HOT_RATES = (0.05, 0.15, 0.4)
_FAVOURITES = (*(Fault.ZOMBIE,) * 5, *Fault)
"""A pause that outlasts a lease is what most needs fences, so it is more often the favourite."""
_HOT = 3
_KIND_IS_ON = 0.7
_FAVOURED = 0.5
_SELDOM_RATE = 0.5
_SELDOM = frozenset({"stop", "cancel_attempt", "generation", "read_head", "diagnose"})
"""Operations so seldom called that they would hardly ever fail."""


class FaultSource(Protocol):
    """Says what befalls each call. `fired` counts; `on` tells whether the world has trouble at all."""

    on: bool
    fired: Counter[tuple[str, Fault]]

    def draw(self, operation: str) -> Fault | None:
        """Return what befalls this call."""
        ...


class Faults:
    """Draws faults while `on`, and counts them.

    Attributes:
        on: off until the world has settled, and once it heals.
        fired: how often each (operation, kind) happened.
    """

    def __init__(self, random: Random) -> None:
        self.on = False
        self.fired: Counter[tuple[str, Fault]] = Counter()
        self._random = random
        rate, hot_rate = random.choice(_RATES), random.choice(_HOT_RATES)
        hot = random.sample(list(MENU), _HOT)
        kinds = {kind for kind in Fault if random.random() < _KIND_IS_ON}
        self._favourite = random.choice(_FAVOURITES)
        self._menu = {
            operation: (
                _rate(operation, rate, hot_rate if operation in hot else rate),
                tuple(kind for kind in menu if kind in kinds or kind is self._favourite),
            )
            for operation, menu in MENU.items()
        }

    def draw(self, operation: str) -> Fault | None:
        """Return what befalls this call, mostly nothing."""
        rate, menu = self._menu[operation]
        if not self.on or not menu or self._random.random() >= rate:
            return None
        favoured = self._favourite in menu and self._random.random() < _FAVOURED
        kind = self._favourite if favoured else self._random.choice(menu)
        self.fired[operation, kind] += 1
        return kind


def _rate(operation: str, rate: float, drawn: float) -> float:
    """Return how often an operation fails in a world whose calls fail at that rate, if at all."""
    return max(drawn, _SELDOM_RATE) if rate and operation in _SELDOM else drawn
