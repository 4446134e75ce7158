"""A neighbour of a machine, for real packets: a network namespace of its own, on a cable."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from chalicelib.clock import SteadyClock
from chalicelib.shell import Node, command, not_equal, output, q
from chalicelib.transport import Transport
from chalicelib.wait import wait_for

__all__ = ["HOST4", "HOST6", "SERVED", "Neighbour", "neighbour", "with_nftables"]

HOST4, HOST6 = "10.251.7.1", "fd51:7::1"
_PEER4, _PEER6 = "10.251.7.2", "fd51:7::2"
SERVED = (7001, 7002)
"""Ports of the machine on which something answers."""
_UNITS = ("berth-neighbour", *[f"berth-server-{port}" for port in SERVED])


@dataclass(frozen=True)
class Neighbour:
    """The other end of the cable."""

    machine: Transport
    pid: str
    address4: str = _PEER4
    address6: str = _PEER6

    def reaches(self, port: int, *, host: str = HOST4) -> bool:
        """Say whether a server answers it within a second."""
        place = f"[{host}]" if ":" in host else host
        asked = command("curl", "-s", "-o", "/dev/null", "--max-time", 1, f"http://{place}:{port}/")
        inside = command("nsenter", "-t", self.pid, "-n", "--", asked.words)
        return not self.machine.run(inside, check=False).exit_status


def with_nftables(machine: Transport) -> None:
    """Have nftables on a machine."""
    if machine.run(q("which nft"), check=False).exit_status:
        machine.run(q("apt-get update -q"))
        machine.run(q("apt-get install -y -q nftables"))


@contextmanager
def neighbour(machine: Transport) -> Iterator[Neighbour]:
    """Give a neighbour, and servers on the machine for it to reach; take both away in the end."""
    run = machine.run
    try:
        run(command("systemd-run", "-q", "--unit", _UNITS[0], "unshare", "-n", "sleep", "infinity"))
        shown = run(q("systemctl show -P MainPID {unit}", unit=_UNITS[0])).stdout
        pid = shown.decode().strip()
        apart = not_equal(
            output(q("readlink {ns}", ns=f"/proc/{pid}/ns/net")), output("readlink /proc/1/ns/net")
        )
        _wait(machine, apart)
        run(q("ip link add berth0 type veth peer name berth1 netns {pid}", pid=pid))
        _address(machine, (), "berth0", HOST4, HOST6)
        _address(machine, ("nsenter", "-t", pid, "-n"), "berth1", _PEER4, _PEER6)
        for port, unit in zip(SERVED, _UNITS[1:], strict=True):
            serve = ("python3", "-m", "http.server", "--bind", "::", "-d", "/srv", port)
            run(command("systemd-run", "-q", "--unit", unit, *serve))
            there = command("curl", "-s", "-o", "/dev/null", f"http://{HOST4}:{port}/")
            _wait(machine, there)
        yield Neighbour(machine, pid)
    finally:
        run(q("ip link delete berth0"), check=False)
        run(q("systemctl stop {units}", units=[*_UNITS]), check=False)


def _address(machine: Transport, inside: tuple[str, ...], link: str, *addresses: str) -> None:
    for address, size in zip(addresses, (24, 64), strict=True):
        nodad = ["nodad"] if ":" in address else []
        added = ("ip", "address", "add", f"{address}/{size}", "dev", link, *nodad)
        machine.run(command(*inside, *added))
    machine.run(command(*inside, "ip", "link", "set", link, "up"))


def _wait(machine: Transport, condition: Node) -> None:
    def holds() -> bool:
        return not machine.run(condition, check=False).exit_status

    wait_for(
        holds,
        clock=SteadyClock(),
        sleep=timedelta(milliseconds=50),
        timeout=timedelta(seconds=20),
    )
