"""A client of the local stack, which is brought up first if it is down."""

from chalicelib.cli.client import Client
from chalicelib.local.places import Places
from chalicelib.local.progress import Progress
from chalicelib.local.stack import Stack

__all__ = ["open_session"]


def open_session(places: Places, progress: Progress) -> Client:
    """Return a client that may read, change and deliver.

    Raises:
        LocalStackError: the stack cannot be brought up; says what to do.
    """
    stack = Stack(places, progress)
    stack.up()
    keys = stack.keys()
    return Client(places.url, token=keys.page.reveal(), webhook_secret=keys.webhook[0].reveal())
