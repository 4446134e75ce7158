import doctest
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Operation, Outcome, Resource, Spec, apply
from chalicelib.hostspec.resources import File, Service, Unit, unit_facts
from chalicelib.shell import q
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well, live, operation

NAME = "berth-life"
INSTALL = ("WantedBy", "multi-user.target")


def _unit(command: str, *more: tuple[str, str], sections: str = "Service") -> Unit:
    settings = [("ExecStart", command), *more]
    return Unit(unit=NAME, sections={sections: settings, "Install": [INSTALL]})


SLEEPS = _unit("/bin/sleep 1000")


@pytest.fixture
def clean(machine: Transport) -> Iterator[Transport]:
    """Takes the unit away afterwards."""
    yield machine
    apply(Spec(Service(unit=NAME, absent=True), Unit(unit=NAME, absent=True)), machine).check()


def _pid(machine: Transport) -> bytes:
    return machine.run(q("systemctl show -p MainPID --value {unit}", unit=NAME)).stdout


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_service_lives(clean: Transport) -> None:
    live(
        clean,
        Service(unit=NAME, enabled=False),
        Service(unit=NAME),
        drift=[
            q("systemctl disable {unit}", unit=NAME),
            q("systemctl stop {unit}", unit=NAME),
            q("systemctl kill -s KILL {unit}", unit=NAME),
        ],
        around=[SLEEPS],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_service_is_stopped_and_masked(clean: Transport) -> None:
    masked = Service(unit="berth-other", masked=True)

    apply_well(clean, Service(unit=NAME), SLEEPS)
    apply_well(clean, Service(unit=NAME, running=False, enabled=False), SLEEPS)
    apply_well(clean, masked)
    apply_well(clean, Service(unit="berth-other", running=False, enabled=False))

    assert operation(clean, replace(masked, absent=True)) is Operation.NOTHING


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_what_holds_until_the_next_boot_is_not_enough(clean: Transport) -> None:
    apply_well(clean, SLEEPS)
    other = "berth-other"

    clean.run(q("systemctl enable --runtime {unit}", unit=NAME))
    clean.run(q("systemctl mask --runtime {unit}", unit=other))

    apply_well(clean, SLEEPS, Service(unit=NAME), Service(unit=other, masked=True))
    clean.run(q("systemctl disable {unit}", unit=NAME))
    clean.run(q("systemctl enable --runtime {unit}", unit=NAME))
    gone = Service(unit=other, running=False, enabled=False)
    apply_well(clean, SLEEPS, Service(unit=NAME, enabled=False), gone)


@pytest.mark.lxd
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "unit",
    [
        _unit("/bin/sh -c 'echo out of fish; exit 3'"),
        _unit("/bin/sh -c 'echo out of fish'", ("Restart", "always"), ("RestartSec", "100ms")),
        _unit("/bin/sh -c 'echo out of fish; sleep 0.3'"),
        _unit("/bin/sh -c 'echo out of fish; exit 3'", ("Type", "oneshot")),
        _unit("/bin/sh -c 'echo out of fish; exit 3'", ("Type", "notify")),
    ],
    ids=["at once", "again and again", "soon", "oneshot", "notify"],
)
def test_a_service_that_dies_fails_with_its_last_words(clean: Transport, unit: Unit) -> None:
    service = Service(unit=NAME, on_change_of=(unit.name,))

    failed = apply(Spec(unit, service), clean).outcomes[-1]

    assert failed.outcome is Outcome.FAILED
    assert "out of fish" in failed.tail
    assert "did not stay up" in failed.tail
    apply_well(clean, SLEEPS, service)


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_service_restarts_when_its_file_changes_and_not_when_it_is_started(
    clean: Transport,
) -> None:
    path = "/srv/berth-life.conf"
    once = _unit("/bin/sleep 1000", ("ExecStartPre", f"/bin/sh -c 'echo >>{path}.starts'"))
    service = Service(unit=NAME, on_change_of=(f"file {path}", once.name))

    def parts(content: str) -> list[Resource]:
        return [once, service, File(path=path, content=content)]

    apply_well(clean, *parts("a"))
    assert clean.get(f"{path}.starts") == b"\n"
    apply_well(clean, *parts("b"))
    assert clean.get(f"{path}.starts") == b"\n\n"
    clean.run(q("rm {one} {two}", one=path, two=f"{path}.starts"))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_service_reloads_and_keeps_running(clean: Transport) -> None:
    path = "/srv/berth-life.conf"
    unit = _unit("/bin/sleep 1000", ("ExecReload", f"/bin/touch {path}.reloaded"))
    service = Service(unit=NAME, on_change="reload", on_change_of=(f"file {path}",))

    apply_well(clean, unit, service, File(path=path, content="a"))
    pid = _pid(clean)
    apply_well(clean, unit, service, File(path=path, content="b"))

    assert _pid(clean) == pid
    clean.run(q("rm {one} {two}", one=path, two=f"{path}.reloaded"))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_what_does_not_run_is_not_started_by_a_change(clean: Transport) -> None:
    path = "/srv/berth-life.conf"
    service = Service(unit=NAME, running=False, enabled=None, on_change_of=(f"file {path}",))

    apply_well(clean, SLEEPS, service, File(path=path, content="a"))

    assert _pid(clean) == b"0\n"
    clean.run(q("rm {one}", one=path))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_missing_service_fails_and_is_absent(machine: Transport) -> None:
    report = apply(Spec(Service(unit="berth-nope")), machine)

    assert report.outcomes[0].outcome is Outcome.FAILED
    assert "berth-nope.service" in report.outcomes[0].tail
    gone = Service(unit="berth-nope", absent=True)
    assert operation(machine, gone) is Operation.NOTHING


def test_an_instance_comes_after_its_template() -> None:
    template = Unit(unit="berth@", sections={"Service": [("ExecStart", "/bin/true")]})

    spec = Spec(Service(unit="berth@a.b"), template)

    assert [each.kind for each in spec.resources] == ["unit", "service"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Service(unit="a b"),
        lambda: Service(unit="--now"),
        lambda: Service(unit="a@"),
        lambda: Service(unit="a*"),
        lambda: Service(unit="a", on_change="kill"),  # type: ignore[arg-type]
    ],
    ids=count(),
)
def test_what_is_no_service_is_refused(make: Callable[[], Service]) -> None:
    with pytest.raises(SpecError, match="service "):
        make()


def test_the_examples_are_true() -> None:
    assert doctest.testmod(unit_facts).failed == 0
