import threading
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.clock import ManualClock
from chalicelib.errors import FenceLostError
from chalicelib.fleet.fences import Fences
from tests.fleet.plans import JOB, OTHER

LONG_FROM_NOW = ManualClock().now() + timedelta(days=36_500)
LONG_AGO = ManualClock().now() - timedelta(days=365)


@pytest.fixture
def fences(tmp_path: Path) -> Fences:
    return Fences(tmp_path / "fences")


def test_the_same_and_a_newer_fence_may_go_on(fences: Fences) -> None:
    with fences.hold(JOB, 1):
        pass
    with fences.hold(JOB, 1):
        pass
    with fences.hold(JOB, 10):
        pass


def test_an_older_fence_is_refused_by_number_not_by_text(fences: Fences) -> None:
    with fences.hold(JOB, 10):
        pass

    with pytest.raises(FenceLostError), fences.hold(JOB, 9):
        pytest.fail("let in")


def test_a_fence_is_noted_even_when_its_holder_fails(fences: Fences) -> None:
    with pytest.raises(KeyError), fences.hold(JOB, 2):
        raise KeyError

    with pytest.raises(FenceLostError), fences.hold(JOB, 1):
        pytest.fail("let in")


def test_two_holders_of_a_job_take_turns(fences: Fences) -> None:
    order = []

    def second() -> None:
        with fences.hold(JOB, 1):
            order.append("second")

    thread = threading.Thread(target=second)
    with fences.hold(JOB, 1):
        thread.start()
        thread.join(timeout=0.1)
        order.append("first")
    thread.join()

    assert order == ["first", "second"]


def test_holders_of_two_jobs_do_not_wait(fences: Fences) -> None:
    with fences.hold(JOB, 1), fences.hold(OTHER, 1):
        pass


def test_old_fences_of_jobs_that_are_gone_are_forgotten(fences: Fences, tmp_path: Path) -> None:
    for job in (JOB, OTHER):
        with fences.hold(job, 5):
            pass

    fences.forget({OTHER}, now=LONG_FROM_NOW)

    assert [path.name for path in (tmp_path / "fences").iterdir()] == [OTHER]


def test_young_fences_are_kept(fences: Fences, tmp_path: Path) -> None:
    with fences.hold(JOB, 5):
        pass

    fences.forget(set(), now=LONG_AGO)

    assert (tmp_path / "fences" / JOB).exists()


def test_a_fence_that_somebody_holds_is_kept(fences: Fences, tmp_path: Path) -> None:
    with fences.hold(JOB, 5):
        fences.forget(set(), now=LONG_FROM_NOW)

    assert (tmp_path / "fences" / JOB).exists()


def test_who_waited_for_a_forgotten_file_locks_the_new_one(fences: Fences, tmp_path: Path) -> None:
    """A lock on an unlinked file would let two in at once."""
    held = threading.Event()
    done = threading.Event()

    def waiter() -> None:
        with fences.lock(JOB):
            held.set()
            done.wait(timeout=10)

    with fences.lock(JOB):
        thread = threading.Thread(target=waiter)
        thread.start()
        (tmp_path / "fences" / JOB).unlink()
    assert held.wait(timeout=10)
    fences.forget(set(), now=LONG_FROM_NOW)
    exists = (tmp_path / "fences" / JOB).exists()
    done.set()
    thread.join()

    assert exists
