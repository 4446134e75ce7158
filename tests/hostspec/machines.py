"""Machines that host specs are applied to: real systems with systemd, reached as root."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from chalicelib.clock import SteadyClock
from chalicelib.transport import Transport, wait_systemd_ready
from tests.transport.lxd_site import lxd_container

__all__ = ["running_machine"]


@contextmanager
def running_machine(request: pytest.FixtureRequest) -> Iterator[Transport]:
    """Give a fresh LXD container of the base image, once its systemd is up."""
    with lxd_container(request.getfixturevalue("lxd")) as machine:
        wait_systemd_ready(machine, clock=SteadyClock())
        yield machine
