import doctest
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Operation, Outcome, Spec, apply
from chalicelib.hostspec.resources import Group, Service, Unit, User, unit
from chalicelib.shell import q
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well, live, operation

NAME = "berth-unit"
PATH = f"/etc/systemd/system/{NAME}.service"
SLEEPS = Unit(unit=NAME, sections={"Service": [("ExecStart", "/bin/sleep 1000")]})


def _shown(machine: Transport, of: str) -> str:
    asked = q("systemctl show --value -p {of} {unit}", of=of, unit=NAME)
    return machine.run(asked).stdout.decode().strip()


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_unit_lives(machine: Transport) -> None:
    sections = {
        "Service": [("ExecStart", "/bin/sleep 1000"), ("Environment", "A=1 B=%n")],
        "Install": [("WantedBy", "multi-user.target")],
    }
    live(
        machine,
        SLEEPS,
        Unit(unit=NAME, sections=sections),
        drift=[
            q("sed -i {edit} {path}", edit="s/1000/1001/", path=PATH),
            q("rm {path}", path=PATH),
        ],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_running_unit_is_stopped_and_disabled_before_it_is_removed(machine: Transport) -> None:
    sections = {**SLEEPS.sections, "Install": [("WantedBy", "multi-user.target")]}
    apply_well(machine, Unit(unit=NAME, sections=sections), Service(unit=NAME))

    apply_well(machine, Unit(unit=NAME, absent=True))

    assert (_shown(machine, "LoadState"), _shown(machine, "ActiveState")) == (
        "not-found",
        "inactive",
    )
    wants = f"/etc/systemd/system/multi-user.target.wants/{NAME}.service"
    assert machine.run(q("test -L {wants}", wants=wants), check=False).exit_status == 1


def test_who_runs_a_unit_is_there_before_and_goes_after_it() -> None:
    settings = [*SLEEPS.sections["Service"], ("User", "bosun"), ("Group", "crew")]
    parts = [
        Unit(unit=NAME, sections={"Service": settings}),
        User(user="bosun"),
        Group(group="crew"),
    ]

    made = [each.kind for each in Spec(*parts).resources]
    gone = [each.kind for each in Spec(*(replace(each, absent=True) for each in parts)).resources]

    assert made[-1] == gone[0] == "unit"


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_drop_in_lives_beside_others(machine: Transport) -> None:
    apply_well(machine, SLEEPS, Service(unit=NAME, enabled=None))
    other = Unit(unit=NAME, drop_in="other", sections={"Service": [("Nice", "2")]})

    live(
        machine,
        Unit(unit=NAME, drop_in="mine", sections={"Service": [("Nice", "5")]}),
        Unit(unit=NAME, drop_in="mine", sections={"Service": [("Nice", "6")]}),
        drift=[q("rm {path}", path=f"{PATH}.d/mine.conf")],
        around=[SLEEPS, other],
    )

    assert _shown(machine, "Nice") == "2"
    assert _shown(machine, "ActiveState") == "active"
    apply_well(machine, Unit(unit=NAME, drop_in="other", absent=True))
    apply_well(machine, Unit(unit=NAME, absent=True))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_systemd_reads_it_also_when_an_apply_was_cut_before_that(machine: Transport) -> None:
    apply_well(machine, SLEEPS, Service(unit=NAME, enabled=None))
    changed = Unit(unit=NAME, sections={"Service": [("ExecStart", "/bin/sleep 1"), ("Nice", "3")]})
    written = next(each for each in changed.actions() if "mktemp" in repr(each))

    machine.run(written)
    assert operation(machine, changed) is Operation.CHANGE
    apply_well(machine, changed)

    assert _shown(machine, "Nice") == "3"
    apply_well(machine, Unit(unit=NAME, absent=True))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_template_lives(machine: Transport) -> None:
    template = replace(SLEEPS, unit=f"{NAME}@")
    live(
        machine,
        template,
        Unit(unit=f"{NAME}@", sections={"Service": [("ExecStart", "/bin/sleep 1001")]}),
        drift=[q("rm {path}", path=f"/etc/systemd/system/{NAME}@.service")],
    )
    apply_well(machine, template, Service(unit=f"{NAME}@a", enabled=None))
    apply_well(machine, replace(template, absent=True))
    assert (
        machine.run(q("systemctl list-units --plain --no-legend {all}", all=f"{NAME}@*")).stdout
        == b""
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_unit_that_systemd_cannot_use_fails(machine: Transport) -> None:
    bad = Unit(unit=NAME, sections={"Service": [("Type", "oneshot")], "Unit": [("Nonsense", "1")]})

    outcome = apply(Spec(bad), machine).outcomes[0]

    assert outcome.outcome is Outcome.FAILED
    assert "bad-setting" in outcome.tail
    assert "ExecStart" in outcome.tail
    apply_well(machine, Unit(unit=NAME, absent=True))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_unit_that_has_failed_is_forgotten_when_it_is_removed(machine: Transport) -> None:
    fails = Unit(unit=NAME, sections={"Service": [("ExecStart", "/bin/false")]})
    apply_well(machine, fails)
    machine.run(q("systemctl start --wait {unit}", unit=NAME), check=False)
    assert _shown(machine, "ActiveState") == "failed"

    apply_well(machine, Unit(unit=NAME, absent=True))

    assert NAME.encode() not in machine.run("systemctl --failed --plain").stdout


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_what_a_package_brings_is_not_removed(machine: Transport) -> None:
    assert operation(machine, Unit(unit="dbus", absent=True)) is Operation.NOTHING


@pytest.mark.parametrize(
    "make",
    [
        lambda: Unit(unit=NAME),
        lambda: Unit(unit="../a", sections={"Unit": []}),
        lambda: Unit(unit=NAME, drop_in="a/b", sections={"Unit": []}),
        lambda: Unit(unit=NAME, sections={"Unit]": []}),
        lambda: Unit(unit=NAME, sections={"Unit": [("A=", "b")]}),
        lambda: Unit(unit=NAME, sections={"Unit": [("A", "b\nc")]}),
        lambda: Unit(unit=NAME, sections={"Unit": [("A", "b\\")]}),
        lambda: Unit(unit=NAME, sections={"Unit": [("A", " b")]}),
    ],
    ids=count(),
)
def test_what_is_no_unit_is_refused(make: Callable[[], Unit]) -> None:
    with pytest.raises(SpecError, match="unit "):
        make()


def test_the_examples_are_true() -> None:
    assert doctest.testmod(unit).failed == 0
