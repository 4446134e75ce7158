"""There is no machine with OpenRC here: what is run there is read, and what it says is parsed.

Both were tried by hand on OpenRC 0.45 with the life that test_service leads on systemd.
"""

import doctest

import pytest

from chalicelib.hostspec.resources import Service, openrc_commands
from chalicelib.hostspec.resources.unit_facts import UNITS, UnitState
from chalicelib.shell import render, script

ALPINE = ("alpine", "x86_64")


def test_the_examples_are_true() -> None:
    assert doctest.testmod(openrc_commands).failed == 0


@pytest.mark.parametrize(
    ("service", "words"),
    [
        (Service(unit="crond"), ["rc-update add crond default", "rc-service crond start"]),
        (
            Service(unit="crond", absent=True),
            ["rc-update del crond default", "rc-service --ifexists --ifstarted crond stop"],
        ),
        (Service(unit="crond", masked=True), ["OpenRC cannot mask crond.service"]),
    ],
    ids=["started", "absent", "masked"],
)
def test_alpine_gets_commands_of_openrc(service: Service, words: list[str]) -> None:
    text = render(script(*service.actions()), facts=ALPINE)

    assert all(each in text for each in words)
    assert "systemctl" not in text


@pytest.mark.parametrize(
    ("service", "words"),
    [
        (Service(unit="crond"), "rc-service crond restart"),
        (Service(unit="crond", on_change="reload"), "rc-service crond reload"),
        (Service(unit="crond", running=None), "rc-service crond status"),
    ],
    ids=["restart", "reload", "try"],
)
def test_a_change_is_told_to_openrc(service: Service, words: str) -> None:
    text = render(script(*service.reactions()), facts=ALPINE)

    assert words in text
    assert "just_started" in text


def test_what_openrc_says_is_understood() -> None:
    said = b"status a 0\nstatus b 32\nstatus c 1\nstatus x y 0\n   a | boot default\n   b | boot\n"

    found = UNITS.read(said, ("a.service", "b.service", "c.service", "d.timer"))

    assert found == {
        "a.service": UnitState(load="loaded", active="active", file="enabled"),
        "b.service": UnitState(load="loaded", active="failed", file="disabled"),
        "c.service": UnitState(),
        "d.timer": UnitState(),
    }
