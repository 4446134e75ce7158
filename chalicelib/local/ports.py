"""Ports of this machine for servers: free ones, outside the range of the kernel's clients."""

import itertools
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from chalicelib.errors import LocalStackError

__all__ = ["client_ports", "free_port"]

_FIRST, _END = 10_000, 65_400
_APART = 64
_places = itertools.count(os.getpid() * _APART)
"""Where to look next: a process never gets the same port twice, and begins where no other does."""


def free_port(count: int = 1) -> int:
    """Return the first of so many neighbouring ports of 127.0.0.1 that nobody has.

    None of them is one that the kernel gives to clients: else any connection may hold it by the
    time that a server listens on it.

    Raises:
        LocalStackError: there is none.
    """
    ports = _of_servers()
    for place in itertools.islice(_places, len(ports)):
        found = ports[place % len(ports) :][:count]
        if found[-1] - found[0] == count - 1 and all(map(_is_free, found)):
            for _ in found[1:]:
                next(_places)
            return found[0]
    raise LocalStackError(
        reason="no port of 127.0.0.1 is free", cure="stop a server, see `ss -ltn`"
    )


def client_ports() -> range:
    """Return the ports that the kernel gives to those who connect without naming one (ip(7))."""
    first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    return range(int(first), int(last) + 1)


def _of_servers() -> Sequence[int]:
    clients = client_ports()
    every = range(_FIRST, _END)
    # A machine may give all of them to clients: then one of those is the best there is.
    return [port for port in every if port not in clients] or every


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
