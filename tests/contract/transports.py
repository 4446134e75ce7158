"""Each driver of a transport on a real host, for the tests that hold for all of them."""

from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from chalicelib.local.emulator import Emulator, account_environment
from chalicelib.shell import q
from chalicelib.transport import LocalTransport, Transport
from chalicelib.transport.memory import MemoryTransport
from chalicelib.transport.ssh import SshTransport
from tests.lxd_site import LxdSite
from tests.transport.lxd_site import lxd_container, sshd_container
from tests.transport.sshd import running_sshd
from tests.transport.ssm_site import ssm_transport

__all__ = ["ALL_BYTES", "PLAIN", "REAL", "Site", "alive", "open_site"]

ALL_BYTES = bytes(range(256)) * 64

_ACCOUNT = "199999999999"
REAL = [
    "local",
    "ssh",
    pytest.param("ssh in a container", marks=pytest.mark.lxd),
    pytest.param("ssm", marks=pytest.mark.stack),
    pytest.param("lxd", marks=pytest.mark.lxd),
]
PLAIN = [each for each in REAL if each != REAL[3]]
"""Those that start a program without a shell; SSM takes scripts only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A host behind one driver.

    Attributes:
        name: of the driver.
        transport: the driver.
        flood_bytes: how much it is to carry on each stream.
        streams: whether output comes before the end.
    """

    name: str
    transport: Transport
    flood_bytes: int = 100_000_000
    streams: bool = True

    def owner(self, path: str) -> str:
        """Whose file it is."""
        return self.transport.run(q("stat -c %U {path}", path=path)).text


def open_site(
    name: str, stack: ExitStack, request: pytest.FixtureRequest, folders: pytest.TempPathFactory
) -> Site:
    """Return the host of that name; the stack closes it."""
    folder = folders.mktemp("site")
    match name:
        case "local":
            return Site(name=name, transport=LocalTransport())
        case "memory":
            return Site(name=name, transport=MemoryTransport(), flood_bytes=1_000_000)
        case "ssh":
            transport = SshTransport(stack.enter_context(running_sshd(folder)).target())
        case "ssh in a container":
            lxd: LxdSite = request.getfixturevalue("lxd")
            transport = SshTransport(stack.enter_context(sshd_container(lxd, folder)).target())
        case "lxd":
            inside = stack.enter_context(lxd_container(request.getfixturevalue("lxd")))
            return Site(name=name, transport=inside)
        case _:
            emulator: Emulator = request.getfixturevalue("emulator")
            aws = account_environment(emulator.url, account=_ACCOUNT)
            host = stack.enter_context(ssm_transport(folder, aws=aws))
            return Site(name=name, transport=host, flood_bytes=1_000_000, streams=False)
    stack.callback(transport.close)
    return Site(name=name, transport=transport)


def alive(transport: Transport, pid: int) -> bool:
    """A process that ended is a zombie for as long as nobody asks after it; in memory, none is."""
    if isinstance(transport, MemoryTransport):
        return transport.run(q("kill -s 0 {pid}", pid=pid), check=False).ok
    running = q("grep -qs {state} {path}", state="^State:.[^ZX]", path=f"/proc/{pid}/status")
    return transport.run(running, check=False).ok
