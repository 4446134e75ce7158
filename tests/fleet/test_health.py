from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.fleet.health import (
    ClockReading,
    HostHealth,
    LxdAnswer,
    Room,
    load_per_core,
    size_text,
    stalled,
)

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_healthy_host_has_no_problem() -> None:
    health = HostHealth(
        rooms=(Room(what="x", free_bytes=9 << 30, total_bytes=20 << 30, free_inodes=5),),
        lxd=LxdAnswer(version="5.0.2", api_version="1.0", took=SECOND),
        clock_skew=2 * SECOND,
        load=3.9,
        memory_stalled=12.0,
        free_memory_bytes=1 << 30,
    )

    assert health.problems() == ()
    assert health.sentence() == ""


def test_each_problem_is_named_the_gravest_first() -> None:
    health = HostHealth(
        rooms=(
            Room(what="its containers", free_bytes=1 << 20, total_bytes=20 << 30),
            Room(
                what="the attempts' files",
                free_bytes=9 << 30,
                total_bytes=20 << 30,
                free_inodes=3,
                total_inodes=5000,
            ),
        ),
        lxd=LxdAnswer(version="5.0.2", api_version="1.0", took=9 * SECOND),
        clock_skew=90 * SECOND,
        load=8.0,
        memory_stalled=75.0,
        io_stalled=51.0,
        free_memory_bytes=50 << 20,
    )

    assert health.sentence().split("; ") == [
        "the host's disk is full: 1 MiB of 20.0 GiB are free for its containers",
        "the host's disk is out of inodes: 3 of 5000 are free for the attempts' files",
        "its LXD took 9 s to answer",
        "the host's clock is 90 s ahead",
        "the host has 50 MiB of memory left",
        "its load is 8.0 per core",
        "the host stood still for want of memory for 75 % of a minute",
        "the host stood still for want of its disk for 51 % of a minute",
    ]


@pytest.mark.parametrize(
    ("free", "total", "full"),
    [
        (3 << 30, 1 << 40, False),  # 0.3 %, but room for a good while
        (1 << 30, 1 << 40, True),
        (1 << 30, 10 << 30, False),  # a small disk, a tenth of it free
        (100 << 20, 10 << 30, True),
        (0, 0, False),  # a file system that counts nothing, such as proc
    ],
)
def test_a_disk_is_full_by_share_and_by_size(*, free: int, total: int, full: bool) -> None:
    room = Room(what="x", free_bytes=free, total_bytes=total)

    assert bool(room.problem()) == full


def test_an_lxd_that_does_not_answer_is_a_problem() -> None:
    health = HostHealth(lxd=LxdAnswer(error="Connection refused"))

    assert health.sentence() == "its LXD does not answer: Connection refused"


def test_a_clock_that_is_behind_is_behind_by_no_less_than_was_seen() -> None:
    reading = ClockReading(before=NOON, host=NOON - 60 * SECOND, after=NOON + 2 * SECOND)

    assert reading.skew() == -59 * SECOND


@given(
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(seconds=30)),
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(seconds=30)),
    st.timedeltas(min_value=timedelta(days=-1), max_value=timedelta(days=1)),
)
def test_a_slow_answer_never_makes_a_clock_look_wrong(
    there: timedelta, back: timedelta, off: timedelta
) -> None:
    """Whatever the way takes, the skew is never overstated, and has the right sign."""
    seen = (NOON + there + off).replace(microsecond=0)

    skew = ClockReading(before=NOON, host=seen, after=NOON + there + back).skew()

    assert abs(skew) <= abs(off)
    assert skew * off.total_seconds() >= timedelta(0)
    assert abs(off - skew) <= there + back + SECOND


@given(st.text(max_size=200))
def test_texts_of_the_kernel_that_are_none_count_as_not_said(text: str) -> None:
    assert load_per_core(text, 2) >= 0
    assert stalled(text) >= 0


def test_stalled_reads_the_line_of_what_all_waited_for() -> None:
    text = "some avg10=90.00 avg60=80.00 avg300=7.00 total=5\nfull avg10=1.00 avg60=61.25 total=5\n"

    assert stalled(text) == 61.25
    assert stalled(text.splitlines()[0]) == 0


def test_sizes_are_for_people() -> None:
    assert size_text(0) == "0 bytes"
    assert size_text(1023) == "1023 bytes"
    assert size_text(5 << 40) == "5.0 TiB"
    assert size_text(5 << 50) == "5120.0 TiB"
