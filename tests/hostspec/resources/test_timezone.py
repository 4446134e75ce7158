from collections.abc import Iterator
from dataclasses import replace

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Outcome, Spec, apply
from chalicelib.hostspec.resources import Timezone
from chalicelib.shell import q
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well, live, operation


@pytest.fixture
def host(machine: Transport) -> Iterator[Transport]:
    """A machine whose zone is put back."""
    machine.run(q("cp -Pp /etc/localtime /etc/localtime.kept"))
    machine.run("cp -p /etc/timezone /etc/timezone.kept", check=False)
    yield machine
    machine.run(q("mv -T /etc/localtime.kept /etc/localtime"))
    machine.run("rm -f /etc/timezone")
    machine.run("mv /etc/timezone.kept /etc/timezone", check=False)


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_programs_tell_the_time_of_the_zone(host: Transport) -> None:
    apply_well(host, Timezone(zone="Asia/Tokyo"))
    assert host.run(q("date +%z")).stdout == b"+0900\n"

    apply_well(host, Timezone())
    assert host.run(q("date +%z")).stdout == b"+0000\n"


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_zone_lives(host: Transport) -> None:
    apply_well(host, Timezone(absent=True))

    live(
        host,
        Timezone(zone="Europe/Berlin"),
        Timezone(),
        drift=["ln -sf /usr/share/zoneinfo/Asia/Tokyo /etc/localtime", "rm /etc/timezone"],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_zone_that_the_host_lacks_changes_nothing(host: Transport) -> None:
    before = host.run("readlink /etc/localtime").stdout

    report = apply(Spec(Timezone(zone="Moon/Tycho")), host)

    assert report.outcomes[0].outcome is Outcome.FAILED
    assert "tzdata" in report.outcomes[0].tail
    assert host.run("readlink /etc/localtime").stdout == before


@pytest.mark.parametrize("zone", ["", "../passwd", "Europe/../..", "-x", "a\nb", "Europe/"])
def test_what_is_no_zone_is_refused(zone: str) -> None:
    with pytest.raises(SpecError, match="zone"):
        Timezone(zone=zone)


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_host_without_a_zone_tells_the_time_as_utc(host: Transport) -> None:
    tokyo = Timezone(zone="Asia/Tokyo")
    apply_well(host, tokyo)

    assert operation(host, replace(tokyo, absent=True)).value == "remove"
    apply_well(host, replace(tokyo, absent=True))

    assert host.run(q("date +%z")).stdout == b"+0000\n"
    assert operation(host, tokyo).value == "create"
