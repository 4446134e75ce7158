"""`berth queue WHAT`: finds what to do, whose file is imported only when it is called.

Each takes the remaining arguments, and a way to the API which it goes once the arguments are right.
"""

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module

from chalicelib.cli.client import Client
from chalicelib.cli.frame import command_parser
from chalicelib.local.places import Places
from chalicelib.local.progress import Progress

__all__ = ["WHATS", "queue"]

Connect = Callable[[], Client]

# name: (module:function, what it does)
WHATS = {
    "ls": ("chalicelib.cli.queue_look:queue_ls", "pools, hosts, tenants, and what is stopped"),
    "show": ("chalicelib.cli.queue_look:queue_show", "a pipeline's jobs, or the way of one job"),
    "why": ("chalicelib.cli.queue_look:queue_why", "why a job is not running"),
    "cancel": ("chalicelib.cli.queue_jobs:queue_cancel", "cancel a pipeline or a job"),
    "rerun": ("chalicelib.cli.queue_jobs:queue_rerun", "run a pipeline again"),
    "limit": ("chalicelib.cli.queue_steer:queue_limit", "set how many slots a tenant may hold"),
    "pause": ("chalicelib.cli.queue_steer:queue_pause", "claim no job, or none of one pool"),
    "resume": ("chalicelib.cli.queue_steer:queue_resume", "undo a pause or a drain"),
    "drain": ("chalicelib.cli.queue_steer:queue_drain", "give a host no further job"),
    "lanes": ("chalicelib.cli.queue_steer:queue_lanes", "spread a pool's jobs over lanes"),
}


def _local() -> Client:
    from chalicelib.cli.session import find_session

    return find_session(Places.from_environment(), Progress())


def queue(arguments: Sequence[str], connect: Connect = _local) -> int:
    """Look at the queue or change it; return the exit status of what was done."""
    if not arguments or arguments[0] not in WHATS:
        # Nothing to do: the parser explains, and refuses what is there.
        _parser().parse_args(arguments)
        raise AssertionError("the parser takes only the names it was given")
    name, *rest = arguments
    module, _, function = WHATS[name][0].partition(":")
    status: int = getattr(import_module(module), function)(rest, connect)
    return status


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, WHATS))
    told = "\n".join(f"  {name.ljust(width)}  {text}" for name, (_, text) in WHATS.items())
    parser = command_parser(
        "queue",
        f"Look at the queue of the local stack, and change it.\n\n{told}",
        examples=[
            "./berth queue ls",
            "./berth queue show 37zz3c7doiv2cwul",
            "./berth queue rerun 37zz3c7doiv2cwul --failed",
        ],
    )
    parser.add_argument(
        "what",
        metavar="WHAT",
        choices=list(WHATS),
        help="one of these; ./berth queue WHAT --help says more",
    )
    return parser
