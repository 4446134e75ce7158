"""How long to wait before the next try."""

from datetime import timedelta

import pytest

from chalicelib.wait import Backoff
from tests.wait.script import Share

_SECOND = timedelta(seconds=1)


def test_jitter_draws_from_nothing_to_the_whole_wait() -> None:
    backoff = Backoff(first=4 * _SECOND, cap=9 * _SECOND, jitter=True)

    drawn = [backoff.delay(number, Share(part)) for number in (1, 2, 3) for part in (0, 1)]

    assert [each.total_seconds() for each in drawn] == [0, 4, 0, 8, 0, 9]


def test_a_wait_of_nothing_stays_nothing() -> None:
    backoff = Backoff(first=0 * _SECOND, cap=9 * _SECOND)

    assert backoff.delay(5000) == timedelta(0)


def test_jitter_without_randomness_is_refused() -> None:
    with pytest.raises(ValueError, match="randomness"):
        Backoff(first=_SECOND, cap=_SECOND, jitter=True).delay(1)


@pytest.mark.parametrize(
    ("first_s", "rate", "cap_s"), [(-1, 2, 5), (6, 2, 5), (1, 0.5, 5), (1, float("nan"), 5)]
)
def test_a_backoff_without_sense_is_refused(first_s: float, rate: float, cap_s: float) -> None:
    with pytest.raises(ValueError, match="must not"):
        Backoff(first=first_s * _SECOND, rate=rate, cap=cap_s * _SECOND)
