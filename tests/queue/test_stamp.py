from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.queue.stamp import fair_stamp, parse_sort_key, sort_key

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(in_use=st.integers(0, 1_000), weight=st.integers(1, 100))
def test_more_slots_in_use_never_stand_earlier(in_use: int, weight: int) -> None:
    stamps = [
        fair_stamp(now=NOW, priority_s=0, slots_in_use=slots, weight=weight)
        for slots in (in_use, in_use + 1)
    ]

    assert stamps == sorted(stamps)


@given(in_use=st.integers(0, 1_000), priority_s=st.integers(-3_600, 3_600))
def test_nobody_starves(in_use: int, priority_s: int) -> None:
    """Whatever somebody's handicap is, whoever comes that much later stands behind."""
    stamp = fair_stamp(now=NOW, priority_s=priority_s, slots_in_use=in_use, weight=1)
    later = NOW + timedelta(seconds=priority_s + 60 * in_use + 1)

    assert stamp < fair_stamp(now=later, priority_s=0, slots_in_use=0, weight=1)


@given(stamps=st.lists(st.integers(0, 10**15 - 1), min_size=2, max_size=2))
def test_sort_keys_order_as_their_stamps(stamps: list[int]) -> None:
    keys = [sort_key(stamp, "job") for stamp in stamps]

    assert (keys[0] < keys[1]) == (stamps[0] < stamps[1])
    assert [parse_sort_key(key) for key in keys] == [(stamp, "job") for stamp in stamps]
