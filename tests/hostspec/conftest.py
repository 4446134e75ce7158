"""The machine that all tests of resources share: each of them leaves it as it found it."""

from collections.abc import Iterator

import pytest

from chalicelib.transport import Transport
from tests.hostspec.machines import running_machine


@pytest.fixture(scope="session")
def machine(request: pytest.FixtureRequest) -> Iterator[Transport]:
    """A container with systemd, for the whole run."""
    with running_machine(request) as transport:
        yield transport
