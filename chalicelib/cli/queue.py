"""`berth queue WHAT`: finds what to do, whose file is imported only when it is called.

Each takes the remaining arguments, and a way to the API which it goes once the arguments are right.
"""

from collections.abc import Callable, Sequence

from chalicelib.cli.client import Client
from chalicelib.cli.frame import run_part
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
    return run_part(
        "queue",
        "Look at the queue of the local stack, and change it.",
        WHATS,
        arguments,
        connect,
        examples=[
            "./berth queue ls",
            "./berth queue show 37zz3c7doiv2cwul",
            "./berth queue rerun 37zz3c7doiv2cwul --failed",
        ],
    )
