"""Which release starts when."""

from random import Random

from chalicelib.simulation.deployment import NEW, OLD, Deployment
from chalicelib.simulation.engine import Engine

MINUTE_MS = 60_000


def _random() -> Random:
    return Random(1)  # noqa: S311 - the same draws each time


def _drawn(deployment: Deployment) -> set[int]:
    return {deployment.drawn() for _ in range(50)}


def test_old_ones_start_first_then_both_then_new_ones() -> None:
    engine = Engine()
    deployment = Deployment(engine, _random(), begin_ms=MINUTE_MS, end_ms=2 * MINUTE_MS)

    started = []
    for _ in range(3):
        started.append(_drawn(deployment))
        engine.run(engine.now_ms + MINUTE_MS)

    assert started == [{OLD}, {OLD, NEW}, {NEW}]


def test_a_deployment_that_is_finished_starts_new_ones_alone() -> None:
    deployment = Deployment(Engine(), _random(), begin_ms=MINUTE_MS, end_ms=2 * MINUTE_MS)

    deployment.finish()

    assert _drawn(deployment) == {NEW}
