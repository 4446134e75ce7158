from collections.abc import Iterator
from dataclasses import replace

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec.resources import Hostname
from chalicelib.shell import append_to, println, q, redirect, write_to
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well, live, operation


@pytest.fixture
def host(machine: Transport) -> Iterator[Transport]:
    """A machine whose name is put back."""
    name = machine.run("cat /proc/sys/kernel/hostname").stdout.decode().strip()
    for path in ("/etc/hosts", "/etc/hostname"):
        machine.run(q("cp -a {path} {kept}", path=path, kept=f"{path}.kept"), check=False)
    yield machine
    for path in ("/etc/hosts", "/etc/hostname"):
        machine.run(q("rm -f {path}", path=path))
        machine.run(q("mv {kept} {path}", path=path, kept=f"{path}.kept"), check=False)
    machine.run(q("hostname {name}", name=name))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_name_takes_effect_at_once_and_for_good(host: Transport) -> None:
    foreign = "10.9.8.7 other.example.com other # not ours"
    host.run(redirect(println(foreign), append_to("/etc/hosts")))

    apply_well(host, Hostname(hostname="web-1"))
    apply_well(host, Hostname(hostname="web-2.example.com"))

    assert host.run("uname -n").stdout == b"web-2.example.com\n"
    assert host.run("cat /etc/hostname").stdout == b"web-2.example.com\n"
    hosts = host.run("cat /etc/hosts").stdout.decode().splitlines()
    assert [each for each in hosts if each.startswith("127.0.1.1")] == [
        "127.0.1.1 web-2.example.com web-2"
    ]
    assert foreign in hosts


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_name_lives(host: Transport) -> None:
    apply_well(host, Hostname(hostname="any", absent=True))

    live(
        host,
        Hostname(hostname="web-1"),
        Hostname(hostname="web-2.example.com"),
        drift=[
            q("hostname other"),
            redirect(println("other"), write_to("/etc/hostname")),
            redirect(println("127.0.0.1 localhost"), write_to("/etc/hosts")),
            q("rm /etc/hosts /etc/hostname"),
        ],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_host_without_a_name_is_called_localhost(host: Transport) -> None:
    name = Hostname(hostname="web-1")
    apply_well(host, name)

    assert operation(host, replace(name, absent=True)).value == "remove"
    apply_well(host, replace(name, absent=True))

    assert host.run("uname -n").text == "localhost"
    assert "127.0.1.1" not in host.run("cat /etc/hosts").text
    assert operation(host, name).value == "create"


@pytest.mark.parametrize("name", ["", "-a", "a_b", "A", "a..b", "a b", "a\nb", "a" * 65, "a.", "é"])
def test_what_is_no_name_of_a_host_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match="hostname"):
        Hostname(hostname=name)
