"""Services on a real OpenRC, on a machine that says that it is Alpine."""

import doctest
from collections.abc import Iterator
from dataclasses import replace

import pytest

from chalicelib.hostspec import Operation, Outcome, Resource, Spec, apply
from chalicelib.hostspec.resources import File, Service, openrc_commands
from chalicelib.hostspec.resources.unit_facts import UNITS, UnitState
from chalicelib.shell import command, q
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well, live, operation

NAME = "berth-life"
SETTINGS = "/srv/berth-life.conf"
SERVICE = Service(unit=NAME, needs=(f"file /etc/init.d/{NAME}",))


def _script(*lines: str, runs: str = "sleep 1000") -> File:
    """The service's own file; what it runs is put into the background.

    Debian's start-stop-daemon is that of dpkg. So the script itself tells OpenRC what was started,
    as OpenRC's own does: by that it knows whether a service has crashed.
    """
    name, _, arguments = runs.partition(" ")
    head = ["#!/sbin/openrc-run", f"command=/bin/{name}", f'command_args="{arguments}"']
    text = [*head, "command_background=yes", f"pidfile=/run/{NAME}.pid", *lines]
    folder, known = f"/run/openrc/daemons/{NAME}", f"exec=/bin/{name}\\npidfile=$pidfile\\n"
    text += [f'start_post() {{ mkdir -p {folder}; printf "{known}" >{folder}/001; }}']
    content = "".join(f"{line}\n" for line in text)
    return File(path=f"/etc/init.d/{NAME}", content=content, mode=0o755)


SLEEPS = _script()


@pytest.fixture
def clean(alpine: Transport) -> Iterator[Transport]:
    """Takes the service away afterwards."""
    yield alpine
    script = replace(SLEEPS, absent=True)
    gone = Service(unit=NAME, absent=True)
    apply(Spec(gone), alpine).check()
    alpine.run(command("rc-service", "--ifexists", NAME, "zap"), check=False)
    apply(Spec(script), alpine).check()
    alpine.run(command("rm", "-f", SETTINGS, f"{SETTINGS}.starts", f"{SETTINGS}.reloaded"))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_service_of_openrc_lives(clean: Transport) -> None:
    live(
        clean,
        replace(SERVICE, enabled=False),
        SERVICE,
        drift=[
            q("rc-service {name} stop", name=NAME),
            q("rc-update del {name} default", name=NAME),
            q("pkill -KILL -F {pid}", pid=f"/run/{NAME}.pid"),
        ],
        around=[SLEEPS],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_service_of_openrc_is_stopped_and_stays_so(clean: Transport) -> None:
    stopped = replace(SERVICE, running=False, enabled=False)

    apply_well(clean, SLEEPS, SERVICE)
    apply_well(clean, SLEEPS, stopped)

    failed = clean.run(q("rc-service {name} status", name=NAME), check=False)
    assert b"stopped" in failed.stdout
    assert NAME.encode() not in clean.run("rc-update show default").stdout


@pytest.mark.lxd
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("script", "words"),
    [
        (_script(runs="sh -c 'exit 3'"), "berth-life did not stay up"),
        (_script(runs="sleep 0.3"), "berth-life did not stay up"),
        (_script("start_pre() { eerror out of fish; return 1; }"), "out of fish"),
    ],
    ids=["at once", "soon", "before it starts"],
)
def test_a_service_of_openrc_that_dies_fails(clean: Transport, script: File, words: str) -> None:
    failed = apply(Spec(script, SERVICE), clean).outcomes[-1]

    assert failed.outcome is Outcome.FAILED
    assert words in failed.tail
    apply_well(clean, SLEEPS, SERVICE)


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_openrc_restarts_on_a_change_and_not_what_has_just_started(clean: Transport) -> None:
    script = _script(f"start_pre() {{ echo >>{SETTINGS}.starts; }}")
    service = replace(SERVICE, on_change_of=(f"file {SETTINGS}", script.name))

    def parts(content: str) -> list[Resource]:
        return [script, service, File(path=SETTINGS, content=content)]

    apply_well(clean, *parts("a"))
    assert clean.get(f"{SETTINGS}.starts") == b"\n"
    apply_well(clean, *parts("b"))
    assert clean.get(f"{SETTINGS}.starts") == b"\n\n"


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_openrc_reloads_what_can_and_restarts_what_cannot(clean: Transport) -> None:
    reloads = _script("extra_started_commands=reload", f"reload() {{ touch {SETTINGS}.reloaded; }}")
    service = replace(SERVICE, on_change="reload", on_change_of=(f"file {SETTINGS}",))

    def pid(script: File, content: str) -> bytes:
        apply_well(clean, script, service, File(path=SETTINGS, content=content))
        return clean.get(f"/run/{NAME}.pid")

    assert pid(reloads, "a") == pid(reloads, "b")
    assert clean.get(f"{SETTINGS}.reloaded") == b""
    assert pid(SLEEPS, "b") != pid(SLEEPS, "c")


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_openrc_does_not_start_by_a_change_what_does_not_run(clean: Transport) -> None:
    service = replace(SERVICE, running=False, enabled=None, on_change_of=(f"file {SETTINGS}",))

    apply_well(clean, SLEEPS, service, File(path=SETTINGS, content="a"))

    assert clean.run(q("rc-service {name} status", name=NAME), check=False).exit_status == 3


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_what_openrc_does_not_know_fails_and_is_absent(alpine: Transport) -> None:
    nope = Service(unit="berth-nope")

    report = apply(Spec(nope), alpine)

    assert report.outcomes[0].outcome is Outcome.FAILED
    assert "berth-nope' does not exist" in report.outcomes[0].tail
    assert operation(alpine, replace(nope, absent=True)) is Operation.NOTHING


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_openrc_cannot_mask(alpine: Transport) -> None:
    report = apply(Spec(Service(unit="berth-nope", masked=True)), alpine)

    assert report.outcomes[0].outcome is Outcome.FAILED
    assert "OpenRC cannot mask" in report.outcomes[0].tail


def test_what_openrc_says_is_understood() -> None:
    said = b"status a 0\nstatus b 32\nstatus c 1\nstatus x y 0\n   a | boot default\n   b | boot\n"

    found = UNITS.read(said, ("a.service", "b.service", "c.service", "d.timer"))

    assert found == {
        "a.service": UnitState(load="loaded", active="active", file="enabled"),
        "b.service": UnitState(load="loaded", active="failed", file="disabled"),
        "c.service": UnitState(),
        "d.timer": UnitState(),
    }


def test_the_examples_are_true() -> None:
    assert doctest.testmod(openrc_commands).failed == 0
