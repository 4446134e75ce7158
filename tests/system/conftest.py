"""One local stack for all tests of the whole system, with leases short enough to wait for."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.local.ports import free_port
from tests.system.installation import Installation

_SETTINGS = {
    "BERTH_LEASE_S": "12",
    "BERTH_HEARTBEAT_S": "3",
    "BERTH_CLAIM_LEASE_S": "12",
    "BERTH_JOB_TIME_LIMIT_S": "150",
}


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A stack with real containers, brought up once."""
    os.environ.update(_SETTINGS)
    home: Path = tmp_path_factory.mktemp("berth")
    running = Installation.start(home, port=free_port())
    try:
        yield running
    finally:
        running.close()
        for name in _SETTINGS:
            os.environ.pop(name, None)
