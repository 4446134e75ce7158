"""The machine that all tests of resources share: each of them leaves it as it found it."""

import os
from collections.abc import Iterator

import pytest

from chalicelib.transport import LocalTransport, Transport
from tests.hostspec.machines import running_machine


@pytest.fixture(scope="session")
def machine(request: pytest.FixtureRequest) -> Iterator[Transport]:
    """A container with systemd, for the whole run."""
    with running_machine(request) as transport:
        yield transport


@pytest.fixture
def here() -> Transport:
    """This machine, as root: for what needs no machine of its own."""
    if os.geteuid() != 0:
        pytest.skip("a host spec is applied as root")
    return LocalTransport()
