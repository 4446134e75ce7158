"""One seed from beginning to end, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.simulation.engine import uncollected
from chalicelib.simulation.history import Violation
from chalicelib.simulation.rest import MINUTE_MS, come_to_rest
from chalicelib.simulation.scenario import Scenario
from chalicelib.simulation.world import World

__all__ = ["Outcome", "run_seed"]

_MOST_TOLD = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a seed.

    Attributes:
        seed: which.
        steps: lines of its history.
        writes: items written.
        fired: faults, as `operation: kind`, with their counts.
        violations: what did not hold, the first ones.
        digest: hash of the history.
        lines: the history, if it was kept.
    """

    seed: int
    steps: int
    writes: int
    fired: Mapping[str, int]
    violations: tuple[Violation, ...]
    digest: str
    lines: tuple[str, ...]


@uncollected()
def run_seed(seed: int, *, keep: bool = False) -> Outcome:
    """Run the world of that seed. The same seed gives the same history, always and everywhere."""
    world = World(seed, keep=keep)
    scenario = Scenario(world)
    scenario.begin()
    while world.engine.now_ms < scenario.heal_at_ms and not world.history.violations:
        world.engine.run(min(world.engine.now_ms + MINUTE_MS, scenario.heal_at_ms))
    if not world.history.violations:
        scenario.heal()
        come_to_rest(world, scenario.deliveries)
    world.engine.close()
    history = world.history
    return Outcome(
        seed=seed,
        steps=history.step,
        writes=world.store.writes,
        fired={f"{operation}: {kind}": n for (operation, kind), n in world.faults.fired.items()},
        violations=tuple(history.violations[:_MOST_TOLD]),
        digest=history.digest(),
        lines=tuple(history.lines),
    )
