"""`berth host WHAT`: finds what to do with a host, whose file is imported only when it is called."""

import argparse
from collections.abc import Sequence
from importlib import import_module

from chalicelib.cli.frame import command_parser

__all__ = ["WHATS", "host"]

# name: (module:function, what it does)
WHATS = {
    "plan": ("chalicelib.cli.host_look:host_plan", "show what an apply would do, with differences"),
    "apply": ("chalicelib.cli.host_apply:host_apply", "make a host what its spec says"),
    "audit": ("chalicelib.cli.host_look:host_audit", "say whether a host is what its spec says"),
    "userdata": ("chalicelib.cli.host_userdata:host_userdata", "print cloud-init user data"),
}


def host(arguments: Sequence[str]) -> int:
    """Look at a host or change it; return the exit status of what was done."""
    if not arguments or arguments[0] not in WHATS:
        # Nothing to do: the parser explains, and refuses what is there.
        _parser().parse_args(arguments)
        raise AssertionError("the parser takes only the names it was given")
    name, *rest = arguments
    module, _, function = WHATS[name][0].partition(":")
    status: int = getattr(import_module(module), function)(rest)
    return status


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, WHATS))
    told = "\n".join(f"  {name.ljust(width)}  {text}" for name, (_, text) in WHATS.items())
    parser = command_parser(
        "host",
        f"Look at a host, and make it what a host spec says.\n\n{told}",
        examples=[
            "./berth host plan build_host --host root@10.0.0.7",
            "./berth host apply my_host.py --host lxd:web --set domain=example.com",
            "./berth host audit build_host --host local --json",
        ],
    )
    parser.add_argument(
        "what",
        metavar="WHAT",
        choices=list(WHATS),
        help="one of these; ./berth host WHAT --help says more",
    )
    return parser
