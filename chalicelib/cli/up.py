"""`berth up`: start the local stack and say where it is."""

from collections.abc import Sequence
from dataclasses import asdict

from chalicelib.cli.frame import command_parser, paint, print_json, print_table
from chalicelib.local.places import Places
from chalicelib.local.progress import Progress
from chalicelib.local.stack import Stack

__all__ = ["up"]


def up(arguments: Sequence[str]) -> int:
    """Start what is down, deploy what has changed, print the URL and a sign-in link."""
    parser = command_parser(
        "up",
        "Start the local stack in the background, and deploy what has changed. A repeat redoes "
        "nothing that is up to date.",
        examples=[
            "./berth up",
            "BERTH_PORT=9700 BERTH_STATE_DIR=/tmp/second ./berth up   a second stack",
            "BERTH_CONTAINER_CPUS=4 ./berth up   any setting of docs/settings.md",
        ],
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    stack = Stack(Places.from_environment(), Progress())
    deployment = stack.up()
    link = stack.sign_in_link()
    if options.json:
        print_json({"url": stack.places.url, "sign_in": link, "deployment": asdict(deployment)})
        return 0
    print_table(
        [
            (paint("url", "bold"), stack.places.url),
            (paint("sign in", "bold"), f"{link}  (once, within ten minutes)"),
            (paint("webhook", "bold"), f"{stack.places.url}/webhooks/github"),
            (paint("logs", "bold"), str(stack.places.logs)),
        ]
    )
    return 0
