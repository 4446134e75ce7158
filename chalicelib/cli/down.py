"""`berth down`: stop the local stack."""

from collections.abc import Sequence

from chalicelib.cli.frame import command_parser
from chalicelib.local.places import Places
from chalicelib.local.progress import Progress
from chalicelib.local.stack import Stack

__all__ = ["down"]


def down(arguments: Sequence[str]) -> int:
    """Stop every process of the stack; remove nothing. Safe to repeat."""
    parser = command_parser(
        "down",
        "Stop the local stack. Its state is kept; jobs that run now run again after ./berth up.",
        examples=["./berth down"],
    )
    parser.parse_args(arguments)
    Stack(Places.from_environment(), Progress()).down()
    return 0
