"""Invoke the planner of a pipeline that was just stored."""

from chalicelib.errors import StoreUnavailableError
from chalicelib.services.context import Berth

__all__ = ["wake_planner"]


def wake_planner(berth: Berth, pipeline: str) -> None:
    """Invoke the planner and do not wait; a failure is no matter.

    The pipeline is stored, so whoever asked for it is answered: the sweeper plans what nobody did.
    """
    try:
        berth.sequencer.plan(pipeline)
    except StoreUnavailableError:
        return
