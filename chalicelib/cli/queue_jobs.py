"""`berth queue cancel` and `rerun`: end work, and do it again."""

import sys
from collections.abc import Callable, Sequence

from chalicelib.cli.client import Client
from chalicelib.cli.frame import command_parser, print_json
from chalicelib.cli.queue_text import state_word
from chalicelib.errors import NotFoundError

__all__ = ["queue_cancel", "queue_rerun"]


def queue_cancel(arguments: Sequence[str], connect: Callable[[], Client]) -> int:
    """Cancel every job of a pipeline that has not ended, or one job."""
    parser = command_parser(
        "queue cancel",
        "Cancel a pipeline, or one job and with it those that need it. What waits ends at once; what"
        " runs is told to stop, and keeps its slots until its container is gone.",
        examples=["./berth queue cancel 37zz3c7doiv2cwul", "./berth queue cancel JOB --json"],
    )
    parser.add_argument("id", metavar="PIPELINE|JOB")
    parser.add_argument("--json", action="store_true", help="print the API's answer")
    asked = parser.parse_args(arguments)
    client = connect()
    try:
        answer = client.change("POST", "pipelines", asked.id, "cancel")
        told = f"{_counted(answer['cancelled'])} cancelled"
    except NotFoundError:
        answer = _cancel_job(client, asked.id)
        told = f"{answer['name']} is {state_word(answer)}"
    if asked.json:
        print_json(answer)
    else:
        print(told)
    return 0


def queue_rerun(arguments: Sequence[str], connect: Callable[[], Client]) -> int:
    """Run a pipeline again: a new pipeline of the same commit; print its id."""
    parser = command_parser(
        "queue rerun",
        "Run a pipeline again, as a new pipeline of the same commit. While such a re-run is open, its id"
        " is the answer again.",
        examples=[
            "./berth queue rerun 37zz3c7doiv2cwul",
            "./berth queue rerun 37zz3c7doiv2cwul --failed",
            "./berth queue rerun 37zz3c7doiv2cwul --job test",
        ],
    )
    parser.add_argument("pipeline", metavar="PIPELINE")
    only = parser.add_mutually_exclusive_group()
    only.add_argument(
        "--failed",
        action="store_true",
        help="only the jobs that did not succeed, and those that need them",
    )
    only.add_argument("--job", metavar="NAME", help="only this job, whatever it needs")
    parser.add_argument("--json", action="store_true", help="print the API's answer")
    asked = parser.parse_args(arguments)
    only_failed = "failed" if asked.failed else None
    answer = connect().change(
        "POST", "pipelines", asked.pipeline, "rerun", only=only_failed, job=asked.job
    )
    if asked.json:
        print_json(answer)
        return 0
    if answer["duplicate"]:
        print("such a re-run is open already:", file=sys.stderr)
    print(answer["pipeline"])
    return 0


def _cancel_job(client: Client, job: str) -> dict[str, str]:
    try:
        return client.change("POST", "jobs", job, "cancel")
    except NotFoundError as error:
        raise NotFoundError(reason=f"there is no pipeline and no job {job}") from error


def _counted(jobs: int) -> str:
    return "1 job" if jobs == 1 else f"{jobs} jobs"
