"""Containers for tests of transports, made as a host makes them: plain, and with an sshd."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chalicelib.local.machine import SshMachine, running_container, running_machine
from chalicelib.transport.lxd import LxdTransport
from tests.lxd_site import LxdSite

__all__ = ["SshMachine", "lxd_container", "sshd_container"]


@contextmanager
def lxd_container(site: LxdSite, **changes: object) -> Iterator[LxdTransport]:
    """Make and start a container, and remove it at the end of the block."""
    with running_container(site.facts, **changes) as inside:
        yield inside


@contextmanager
def sshd_container(site: LxdSite, folder: Path) -> Iterator[SshMachine]:
    """Make a container with a running sshd, and remove it at the end of the block."""
    with running_machine(site.facts, folder) as made:
        yield made
