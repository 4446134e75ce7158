import doctest
from collections.abc import Callable
from datetime import timedelta
from itertools import count

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Operation
from chalicelib.hostspec.resources import Timer, timer
from chalicelib.shell import q
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well, live, operation

NAME = "berth-timer"
HOUR = timedelta(hours=1)


def test_the_examples_are_true() -> None:
    assert doctest.testmod(timer).failed == 0


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_timer_lives(machine: Transport) -> None:
    live(
        machine,
        Timer(id=NAME, run=["/bin/true"], every=HOUR),
        Timer(
            id=NAME,
            run=["/bin/true"],
            calendar="*-*-* 03:00:00",
            persistent=True,
            spread=HOUR,
            service=[("Nice", "5")],
        ),
        drift=[
            q("systemctl stop {unit}", unit=f"{NAME}.timer"),
            q("systemctl disable {unit}", unit=f"{NAME}.timer"),
            q("rm {path}", path=f"/etc/systemd/system/{NAME}.service"),
        ],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_timer_runs_its_words_as_they_are(machine: Transport) -> None:
    words = ["a b", "$HOME", "%n", "'\"\\", ""]
    each = Timer(id=NAME, run=["/usr/bin/printf", "<%s>", *words], every=HOUR)
    apply_well(machine, each)

    machine.run(q("systemctl start {unit}", unit=NAME))
    machine.run("journalctl --sync")
    said = machine.run(q("journalctl -n 1 -o cat -t printf -u {unit}", unit=NAME)).stdout.decode()
    apply_well(machine, Timer(id=NAME, absent=True))

    assert said == "".join(f"<{each}>" for each in words) + "\n"


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_timer_with_other_times_is_due_at_these(machine: Transport) -> None:
    apply_well(machine, Timer(id=NAME, run=["/bin/true"], calendar="2090-01-01"))
    apply_well(machine, Timer(id=NAME, run=["/bin/true"], calendar="2091-02-03"))

    asked = q("systemctl show --value -p NextElapseUSecRealtime {unit}", unit=f"{NAME}.timer")
    said = machine.run(asked).stdout.decode()
    apply_well(machine, Timer(id=NAME, absent=True))

    assert "2091-02-03" in said
    assert operation(machine, Timer(id=NAME, absent=True)) is Operation.NOTHING


@pytest.mark.parametrize(
    "make",
    [
        lambda: Timer(id="a b", run=["/a"], every=HOUR),
        lambda: Timer(id="a", run=["a"], every=HOUR),
        lambda: Timer(id="a", run=["/a", "b\nc"], every=HOUR),
        lambda: Timer(id="a", run=["/a"]),
        lambda: Timer(id="a", run=["/a"], every=HOUR, calendar="daily"),
        lambda: Timer(id="a", run=["/a"], every=HOUR, persistent=True),
        lambda: Timer(id="a", run=["/a"], every=timedelta(milliseconds=1)),
        lambda: Timer(id="a", run=["/a"], calendar="a\nb"),
        lambda: Timer(id="a", run=["/a"], every=HOUR, service=[("a b", "c")]),
    ],
    ids=count(),
)
def test_what_is_no_timer_is_refused(make: Callable[[], Timer]) -> None:
    with pytest.raises(SpecError, match="timer "):
        make()
