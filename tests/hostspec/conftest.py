"""The machines that all tests of resources share: each of them leaves one as it found it."""

import os
from collections.abc import Iterator

import pytest

from chalicelib.clock import SteadyClock
from chalicelib.local.machine import SshMachine
from chalicelib.transport import LocalTransport, Transport, wait_systemd_ready
from chalicelib.transport.ssh import SshTransport
from tests.hostspec.alpine import alpine_machine
from tests.lxd_site import LxdSite
from tests.transport.lxd_site import sshd_container


@pytest.fixture(scope="session")
def container(lxd: LxdSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshMachine]:
    """A container of the base image with systemd and an sshd, for the whole run."""
    with sshd_container(lxd, tmp_path_factory.mktemp("machine")) as made:
        wait_systemd_ready(made.inside, clock=SteadyClock())
        yield made


@pytest.fixture(scope="session")
def machine(container: SshMachine) -> Iterator[Transport]:
    """The container by SSH, as hosts are reached: 5 ms a round trip, where LXD's exec takes 100."""
    transport = SshTransport(container.target())
    try:
        yield transport
    finally:
        transport.close()


@pytest.fixture(scope="session")
def inside(container: SshMachine) -> Transport:
    """The same container without its network, for what may cut that off."""
    return container.inside


@pytest.fixture(scope="session")
def alpine(lxd: LxdSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Transport]:
    """A machine with OpenRC in the place of systemd, for the whole run."""
    with alpine_machine(lxd, tmp_path_factory.mktemp("alpine")) as made:
        yield made


@pytest.fixture
def here() -> Transport:
    """This machine, as root: for what needs no machine of its own."""
    if os.geteuid() != 0:
        pytest.skip("a host spec is applied as root")
    return LocalTransport()
