"""`berth host userdata`: a spec as the user data of a machine that does not exist yet."""

import sys
from collections.abc import Sequence

from chalicelib.cli.frame import command_parser
from chalicelib.cli.host_spec import add_spec_arguments, find_spec
from chalicelib.hostspec.system import System
from chalicelib.hostspec.userdata import user_data

__all__ = ["host_userdata"]


def host_userdata(arguments: Sequence[str]) -> int:
    """Print the user data, compressed where EC2's limit wants that; return 0."""
    parser = command_parser(
        "host userdata",
        "Print what cloud-init runs at a machine's first boot to make it what a spec says.\n"
        "Above 16 KiB it is compressed, which cloud-init understands; still too much is an error.",
        examples=[
            "./berth host userdata build_host >user-data",
            "./berth host userdata my_host.py --family redhat --set domain=example.com",
        ],
    )
    add_spec_arguments(parser)
    parser.add_argument(
        "--family",
        choices=("debian", "redhat", "alpine"),
        default="debian",
        help="what the image runs; default: debian",
    )
    asked = parser.parse_args(arguments)
    system = System(family=asked.family, id=asked.family)
    sys.stdout.buffer.write(user_data(find_spec(asked), system))
    return 0
