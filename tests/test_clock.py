from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.clock import ManualClock, SteadyClock, SystemClock, from_ms, to_ms


@given(st.integers(min_value=0, max_value=4_000_000_000_000))
def test_milliseconds_survive_the_way_to_a_datetime_and_back(moment_ms: int) -> None:
    assert to_ms(from_ms(moment_ms)) == moment_ms


def test_the_system_clock_is_aware_and_in_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_a_steady_clock_begins_at_the_time_of_the_machine() -> None:
    before = SystemClock().now()

    begun = SteadyClock().now()

    assert begun.utcoffset() == timedelta(0)
    assert timedelta(0) <= begun - before < timedelta(minutes=1)


def test_a_steady_clock_goes_by_its_counter_alone() -> None:
    """So a wait takes as long as it says, whatever the machine's clock is set to meanwhile."""
    counted = iter([1000.0, 1000.0, 1002.5])
    clock = SteadyClock(lambda: next(counted))

    first, second = clock.now(), clock.now()

    assert second - first == timedelta(seconds=2.5)


def test_a_manual_clock_moves_by_what_it_sleeps() -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))

    clock.sleep(timedelta(seconds=5))
    clock.sleep(timedelta(seconds=-5))

    assert clock.now() == datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)
