"""`berth queue ls`, `show` and `why`: look, change nothing."""

import argparse
from collections.abc import Callable, Sequence

from chalicelib.cli.client import Client
from chalicelib.cli.frame import command_parser, print_json, print_table
from chalicelib.cli.queue_text import (
    host_rows,
    job_facts,
    job_rows,
    pipeline_title,
    pool_line,
    tenant_rows,
    timeline_rows,
    why_line,
)
from chalicelib.errors import NotFoundError

__all__ = ["queue_ls", "queue_show", "queue_why"]


def queue_ls(arguments: Sequence[str], connect: Callable[[], Client]) -> int:
    """Print pools with their hosts, and tenants."""
    parser = _parser(
        "ls",
        "Print each pool with its lanes and hosts, each tenant with its slots and backlog, and what is"
        " stopped and why. Counts end at 100.",
        examples=["./berth queue ls", "./berth queue ls --json | jq .tenants"],
    )
    asked = parser.parse_args(arguments)
    found = connect().queue()
    if asked.json:
        print_json(found)
        return 0
    for pool in found["pools"]:
        print(pool_line(pool, everything=found["paused"]))
        print_table(host_rows(pool))
        print()
    print_table(tenant_rows(found["tenants"], more=found["more"]))
    return 0


def queue_show(arguments: Sequence[str], connect: Callable[[], Client]) -> int:
    """Print a pipeline's jobs in the order they need each other, or one job's hops."""
    parser = _parser(
        "show",
        "Print the jobs of a pipeline, each below those that it needs, or when one job passed each hop.",
        examples=[
            "./berth queue show 37zz3c7doiv2cwul",
            "./berth queue show 37zz3c7doiv2cwul --json",
        ],
    )
    parser.add_argument("id", metavar="PIPELINE|JOB")
    asked = parser.parse_args(arguments)
    client = connect()
    try:
        pipeline = client.pipeline(asked.id)
    except NotFoundError:
        return _show_job(client, asked.id, as_json=asked.json)
    if asked.json:
        print_json(pipeline)
        return 0
    print(pipeline_title(pipeline))
    print_table(job_rows(pipeline["jobs"]))
    return 0


def queue_why(arguments: Sequence[str], connect: Callable[[], Client]) -> int:
    """Print one sentence on why a job is not running, and the facts beside it."""
    parser = _parser(
        "why",
        "Say in one sentence why a job is not running, and what it waits for.",
        examples=[
            "./berth queue why 7nkbsyt33nwk7quy",
            "./berth queue why 7nkbsyt33nwk7quy --json",
        ],
    )
    parser.add_argument("job", metavar="JOB", help="its id, as ./berth queue show prints it")
    asked = parser.parse_args(arguments)
    job = connect().job(asked.job)
    if asked.json:
        print_json(job)
        return 0
    print(why_line(job))
    print_table(job_facts(job))
    return 0


def _parser(what: str, description: str, *, examples: Sequence[str]) -> argparse.ArgumentParser:
    parser = command_parser(f"queue {what}", description, examples=examples)
    parser.add_argument("--json", action="store_true", help="print the API's answer")
    return parser


def _show_job(client: Client, job_id: str, *, as_json: bool) -> int:
    try:
        job = client.job(job_id)
    except NotFoundError as error:
        raise NotFoundError(reason=f"there is no pipeline and no job {job_id}") from error
    if as_json:
        print_json(job)
        return 0
    print(why_line(job))
    print_table(job_facts(job))
    print()
    print_table(timeline_rows(job["timeline"]))
    return 0
