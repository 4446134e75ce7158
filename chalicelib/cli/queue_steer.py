"""`berth queue limit`, `pause`, `resume`, `drain` and `lanes`: what an operator sets."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chalicelib.cli.client import Client
from chalicelib.cli.frame import command_parser, print_json

__all__ = ["queue_drain", "queue_lanes", "queue_limit", "queue_pause", "queue_resume"]

Connect = Callable[[], Client]


def queue_limit(arguments: Sequence[str], connect: Connect) -> int:
    """Set how many slots a tenant may hold, and its share beside others."""
    parser = _parser(
        "limit",
        "Set at once how many slots a tenant may hold. What runs above a lower limit runs on.",
        examples=["./berth queue limit local 20", "./berth queue limit 48221 8 --weight 4"],
    )
    parser.add_argument("tenant", metavar="TENANT", help="an installation's id, or local")
    parser.add_argument("slots", metavar="SLOTS", type=int)
    parser.add_argument(
        "--weight", type=int, help="its share beside tenants of weight 1; kept when it is not given"
    )
    asked = parser.parse_args(arguments)
    answer = connect().change(
        "PUT", "tenants", asked.tenant, limit=asked.slots, weight=asked.weight
    )
    held = f"{answer['running']} of {answer['limit']} slots"
    told = f"tenant {answer['id']} holds {held}, weight {answer['weight']}"
    return _told(answer, told, asked)


def queue_pause(arguments: Sequence[str], connect: Connect) -> int:
    """Let no job be claimed, or none of one pool."""
    parser = _parser(
        "pause",
        "Claim no job, of one pool or at all, until it is resumed. What runs goes on.",
        examples=[
            './berth queue pause "moving the table"',
            './berth queue pause --pool default "a new disk"',
        ],
    )
    parser.add_argument("reason", metavar="REASON", help="shown to whoever waits")
    parser.add_argument("--pool", help="only this pool")
    asked = parser.parse_args(arguments)
    answer = connect().change("POST", *_place(asked.pool), "pause", reason=asked.reason)
    return _told(answer, f"{_named(asked.pool)} paused: {answer['paused']}", asked)


def queue_resume(arguments: Sequence[str], connect: Connect) -> int:
    """Let jobs be claimed again: everywhere, of one pool, or on one host."""
    parser = _parser(
        "resume",
        "Undo a pause of everything, a pause of one pool, or a drain of one host. Each is undone by"
        " itself. Jobs that wait are claimed at once.",
        examples=[
            "./berth queue resume",
            "./berth queue resume --pool default",
            "./berth queue resume --host local",
        ],
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--pool", help="only this pool")
    which.add_argument("--host", help="only this host, which was drained")
    asked = parser.parse_args(arguments)
    if asked.host is not None:
        answer = connect().change("POST", "hosts", asked.host, "resume")
        return _told(answer, _host_line(answer), asked)
    answer = connect().change("POST", *_place(asked.pool), "resume")
    claimed = len(answer["claimed"])
    return _told(answer, f"{_named(asked.pool)} resumed; {claimed} claimed at once", asked)


def queue_drain(arguments: Sequence[str], connect: Connect) -> int:
    """Give a host no further job."""
    parser = _parser(
        "drain",
        "Give a host no further job. What runs on it goes on; ./berth queue resume --host undoes it.",
        examples=["./berth queue drain local"],
    )
    parser.add_argument("host", metavar="HOST", help="as ./berth queue ls prints it")
    asked = parser.parse_args(arguments)
    answer = connect().change("POST", "hosts", asked.host, "drain")
    return _told(answer, _host_line(answer), asked)


def queue_lanes(arguments: Sequence[str], connect: Connect) -> int:
    """Spread a pool's jobs over lanes."""
    parser = _parser(
        "lanes",
        "Set how many lanes the jobs of a pool are put into, 1 to 64. One is enough for a few hundred"
        " jobs a second.",
        examples=["./berth queue lanes default 4"],
    )
    parser.add_argument("pool", metavar="POOL")
    parser.add_argument("lanes", metavar="LANES", type=int)
    asked = parser.parse_args(arguments)
    answer = connect().change("PUT", "pools", asked.pool, "lanes", lanes=asked.lanes)
    return _told(answer, f"pool {answer['id']} has {answer['lanes']} lanes", asked)


def _parser(what: str, description: str, *, examples: Sequence[str]) -> argparse.ArgumentParser:
    parser = command_parser(f"queue {what}", description, examples=examples)
    parser.add_argument("--json", action="store_true", help="print the API's answer")
    return parser


def _told(answer: Mapping[str, Any], sentence: str, asked: argparse.Namespace) -> int:
    if asked.json:
        print_json(answer)
    else:
        print(sentence)
    return 0


def _place(pool: str | None) -> tuple[str, ...]:
    return ("queue",) if pool is None else ("pools", pool)


def _named(pool: str | None) -> str:
    return "everything" if pool is None else f"pool {pool}"


def _host_line(host: Mapping[str, Any]) -> str:
    return f"host {host['id']} is {host['state']}, {host['taken']} of {host['slots']} slots taken"
