from dataclasses import replace

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Outcome, Spec, apply
from chalicelib.hostspec.resources import Group, User
from chalicelib.shell import render, script
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well, live


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_group_lives(machine: Transport) -> None:
    live(
        machine,
        Group(group="crew", gid=4411),
        Group(group="crew", gid=4412),
        drift=["/usr/sbin/groupmod -g 4413 crew", "/usr/sbin/groupdel crew"],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_group_of_the_system_gets_a_number_of_those(machine: Transport) -> None:
    apply(Spec(Group(group="services", system=True)), machine).check()

    gid = machine.run("getent group services").stdout.decode().split(":")[2]
    machine.run("/usr/sbin/groupdel services")

    assert int(gid) < 1000


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_group_that_is_somebodys_first_is_not_removed(machine: Transport) -> None:
    report = apply(Spec(Group(group="daemon", absent=True)), machine)

    assert report.outcomes[0].outcome is Outcome.FAILED
    assert "primary group" in report.outcomes[0].tail


@pytest.mark.lxd
@pytest.mark.timeout(300)
@pytest.mark.parametrize("stays", [True, False], ids=["stays", "goes"])
def test_a_group_is_removed_after_its_last_user(machine: Transport, *, stays: bool) -> None:
    """Also where the spec does not say any more that it was the user's."""
    crew, bosun = Group(group="crew"), User(user="bosun", group="crew", system=True)
    apply_well(machine, crew, bosun)
    try:
        then = replace(bosun, group="daemon", absent=not stays)
        apply_well(machine, replace(crew, absent=True), then)
    finally:
        apply_well(machine, replace(bosun, absent=True), replace(crew, absent=True))


def test_alpine_has_its_own_programs() -> None:
    group = Group(group="crew", gid=4411, system=True)

    text = render(script(*group.actions()), facts={"alpine"})

    assert "addgroup -S -g 4411 crew" in text
    assert "groupmod" not in text


@pytest.mark.parametrize("name", ["", "-r", "1000", "a b", "a:b", "a\nb", "a" * 40])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match="group"):
        Group(group=name)


def test_the_group_of_root_is_not_removed() -> None:
    with pytest.raises(SpecError, match="the system needs it"):
        Group(group="root", absent=True)
