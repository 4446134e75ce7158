"""Laws of the transition table."""

from chalicelib.model import HOLDS_SLOT, LIVE, QUEUED, TRANSITIONS, Event, JobState


def test_done_is_absorbing() -> None:
    assert not [state for state, _ in TRANSITIONS if state is JobState.DONE]


def test_every_state_can_be_reached_and_left() -> None:
    reached = set(TRANSITIONS.values())
    left = {before for before, _ in TRANSITIONS}

    assert reached | {JobState.WAITING} == set(JobState)
    assert left == set(JobState) - {JobState.DONE}


def test_cancelling_is_left_to_done_only() -> None:
    """A cancelled job never starts a later attempt (invariant S13)."""
    after = {after for (before, _), after in TRANSITIONS.items() if before is JobState.CANCELLING}

    assert after == {JobState.CANCELLING, JobState.DONE}


def test_only_a_claim_makes_an_attempt() -> None:
    makers = {
        event
        for (before, event), after in TRANSITIONS.items()
        if before not in LIVE and after in LIVE
    }

    assert makers == {Event.CLAIM}


def test_the_slot_is_held_from_ready_until_done() -> None:
    assert {JobState.READY, *LIVE} == HOLDS_SLOT
    assert {JobState.PENDING, JobState.READY} == QUEUED
