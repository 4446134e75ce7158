"""A client of the local stack: one that brings it up first, and one for a stack that is up."""

from chalicelib.cli.client import Client
from chalicelib.errors import LocalStackError
from chalicelib.local.places import Places
from chalicelib.local.progress import Progress
from chalicelib.local.stack import Stack

__all__ = ["find_session", "open_session"]


def open_session(places: Places, progress: Progress) -> Client:
    """Return a client that may read, change and deliver.

    Raises:
        LocalStackError: the stack cannot be brought up; says what to do.
    """
    stack = Stack(places, progress)
    stack.up()
    return _client(stack)


def find_session(places: Places, progress: Progress) -> Client:
    """Return a client that may read and change; nothing is started or deployed.

    Raises:
        LocalStackError: the stack is not up.
    """
    stack = Stack(places, progress)
    for part in stack.parts():
        if part.state != "up":
            reason = f"the local stack is not up: its {part.name} is {part.state}"
            raise LocalStackError(reason=reason, cure="./berth up")
    return _client(stack)


def _client(stack: Stack) -> Client:
    keys = stack.keys()
    url = stack.places.url
    return Client(url, token=keys.page.reveal(), webhook_secret=keys.webhook[0].reveal())
