"""`berth host WHAT`: finds what to do with a host, whose file is imported only when it is called."""

from collections.abc import Sequence

from chalicelib.cli.frame import run_part

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
    return run_part(
        "host",
        "Look at a host, and make it what a host spec says.",
        WHATS,
        arguments,
        examples=[
            "./berth host plan build_host --host root@10.0.0.7",
            "./berth host apply my_host.py --host lxd:web --set domain=example.com",
            "./berth host audit build_host --host local --json",
        ],
    )
