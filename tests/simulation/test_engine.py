"""Actors take turns in the order of virtual time, and may be woken and killed."""

import gc
from datetime import timedelta

from chalicelib.simulation.engine import START, Actor, ActorClock, Engine, EngineClock, uncollected

MINUTE_MS = 60_000


def _noting(engine: Engine, told: list[str], name: str, *pauses_ms: int) -> Actor:
    def work() -> None:
        for pause_ms in pauses_ms:
            engine.pause(pause_ms)
            told.append(f"{name}@{engine.now_ms}")

    return engine.spawn(Actor(name), work)


def test_actors_go_on_in_the_order_of_time() -> None:
    engine, told = Engine(), list[str]()
    _noting(engine, told, "a", 10, 30)
    _noting(engine, told, "b", 20, 10)

    engine.run(MINUTE_MS)

    assert told == ["a@10", "b@20", "b@30", "a@40"]
    assert engine.now_ms == MINUTE_MS


def test_nobody_goes_on_beyond_the_horizon() -> None:
    engine, told = Engine(), list[str]()
    _noting(engine, told, "a", 10, 30)

    engine.run(20)

    assert told == ["a@10"]


def test_who_is_woken_goes_on_at_once() -> None:
    engine, told = Engine(), list[str]()
    sleeper = _noting(engine, told, "sleeper", 1_000)
    engine.spawn(Actor("waker"), lambda: engine.wake(sleeper), delay_ms=5)

    engine.run(MINUTE_MS)

    assert told == ["sleeper@5"]


def test_who_is_killed_does_nothing_more() -> None:
    engine, told = Engine(), list[str]()
    victim = _noting(engine, told, "victim", 10, 1_000)
    engine.spawn(Actor("killer"), lambda: engine.kill(victim), delay_ms=20)

    engine.run(MINUTE_MS)

    assert told == ["victim@10"]
    assert victim.over


def test_a_machine_is_taken_away_at_its_deadline() -> None:
    engine, told = Engine(), list[str]()
    actor = _noting(engine, told, "a", 10, 10, 10)
    actor.deadline_ms = 25

    engine.run(MINUTE_MS)

    assert told == ["a@10", "a@20"]


def test_the_end_leaves_no_actor_suspended() -> None:
    engine, told = Engine(), list[str]()
    actors = [_noting(engine, told, "a", MINUTE_MS), _noting(engine, told, "b", MINUTE_MS)]
    engine.run(10)
    never_begun = engine.spawn(Actor("c"), lambda: told.append("c"), delay_ms=MINUTE_MS)

    engine.close()

    assert all(actor.over for actor in actors)
    assert told == []
    assert never_begun.begun_ms == 0


def test_each_actor_has_a_clock_of_its_own() -> None:
    engine, seen = Engine(), list[timedelta]()
    clock = ActorClock(engine)

    def look() -> None:
        clock.sleep(timedelta(seconds=1))
        seen.append(clock.now() - EngineClock(engine).now())

    engine.spawn(Actor("early", skew_ms=60_000), look)
    engine.spawn(Actor("late", skew_ms=-500), look)
    engine.run(MINUTE_MS)

    assert seen == [timedelta(minutes=1), timedelta(milliseconds=-500)]
    assert EngineClock(engine).now() == START + timedelta(minutes=1)


def test_the_collector_rests_while_a_world_runs_and_is_as_it_was_after() -> None:
    before = gc.isenabled()

    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            pass
        assert not gc.isenabled()

    assert gc.isenabled() is before
