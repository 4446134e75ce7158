from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from chalicelib.clock import SteadyClock
from chalicelib.errors import HostSpecError, SpecError
from chalicelib.hostspec import Spec, apply, runtime_rules
from chalicelib.hostspec.resources.firewall import Firewall
from chalicelib.hostspec.resources.firewall_rules import Rule
from chalicelib.hostspec.runtime_rules import Port, block_for, close, open_for
from chalicelib.transport import Transport
from chalicelib.wait import wait_for
from tests.hostspec.life import apply_well
from tests.hostspec.packets import HOST6, SERVED, Neighbour, neighbour, with_nftables

FIRST, SECOND = SERVED
HOUR = timedelta(hours=1)
MOMENT = timedelta(milliseconds=100)


@pytest.fixture(scope="module")
def near(inside: Transport) -> Iterator[Neighbour]:
    with_nftables(inside)
    with neighbour(inside) as found:
        yield found


@pytest.fixture
def walled(near: Neighbour) -> Iterator[Transport]:
    """A machine that lets in one port only."""
    apply(Spec(Firewall(rules=(Rule(ports=(FIRST,)),))), near.machine)
    yield near.machine
    apply_well(near.machine, Firewall(absent=True))


def _listed(machine: Transport) -> list[tuple[str, Port]]:
    return [(each.effect, each.port) for each in runtime_rules.runtime_rules(machine)]


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_what_is_opened_answers_until_its_time_is_over(walled: Transport, near: Neighbour) -> None:
    assert not near.reaches(SECOND)

    open_for(walled, Port(source=near.address4, port=SECOND), timedelta(seconds=3))

    assert near.reaches(SECOND)
    assert not near.reaches(SECOND, host=HOST6)
    wait_for(
        lambda: not near.reaches(SECOND),
        clock=SteadyClock(),
        sleep=MOMENT,
        timeout=timedelta(seconds=30),
    )
    assert _listed(walled) == []


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_what_is_opened_is_closed_again(walled: Transport, near: Neighbour) -> None:
    port = Port(source=near.address6, port=SECOND)

    for _ in range(2):
        open_for(walled, port, HOUR)
    assert near.reaches(SECOND, host=HOST6)
    assert _listed(walled) == [("opened", port)]

    for _ in range(2):
        close(walled, port)
    assert not near.reaches(SECOND, host=HOST6)
    assert _listed(walled) == []


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_what_is_blocked_is_kept_out_of_what_is_open(walled: Transport, near: Neighbour) -> None:
    port = Port(source=near.address4, port=FIRST)
    assert near.reaches(FIRST)

    block_for(walled, port, HOUR)
    open_for(walled, port, HOUR)
    assert not near.reaches(FIRST)

    close(walled, port, effect="blocked")
    assert near.reaches(FIRST)


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_time_begins_anew_and_is_told(walled: Transport) -> None:
    port = Port(source="192.0.2.1", port=53, protocol="udp")
    open_for(walled, port, timedelta(seconds=100))

    open_for(walled, port, HOUR)
    longer = runtime_rules.runtime_rules(walled)[0].remaining
    open_for(walled, port, timedelta(seconds=100))
    shorter = runtime_rules.runtime_rules(walled)[0].remaining

    assert longer is not None
    assert shorter is not None
    assert timedelta(minutes=59) < longer <= HOUR
    assert timedelta(seconds=90) < shorter <= timedelta(seconds=100)


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_an_apply_leaves_what_is_opened_and_a_changed_apply_too(walled: Transport) -> None:
    port = Port(source="192.0.2.1", port=22)
    open_for(walled, port, HOUR)

    for rules in ((), (Rule(ports=(9,)),)):
        apply_well(walled, Firewall(rules=rules))

        assert _listed(walled) == [("opened", port)]


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_nothing_is_lost_while_the_rules_are_replaced(walled: Transport) -> None:
    ports = [Port(source="192.0.2.1", port=number) for number in range(100, 130)]
    replacing = Firewall(rules=(Rule(ports=(9,)),)).actions()

    def replace() -> None:
        for _ in range(10):
            walled.run(list(replacing))

    with ThreadPoolExecutor(3) as pool:
        replaced = pool.submit(replace)
        opened = [pool.submit(open_for, walled, each, HOUR) for each in ports]
        for each in (replaced, *opened):
            each.result()

    assert sorted(port.port for _, port in _listed(walled)) == list(range(100, 130))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_what_is_opened_for_all_is_not_closed_with_what_is_opened_for_one(
    walled: Transport, near: Neighbour
) -> None:
    everybody, one = Port(port=SECOND), Port(port=SECOND, source=near.address4)
    open_for(walled, everybody, HOUR)
    open_for(walled, one, HOUR)

    close(walled, one)

    assert _listed(walled) == [("opened", everybody)]
    assert near.reaches(SECOND)
    assert near.reaches(SECOND, host=HOST6)


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_host_without_the_firewall_is_an_error(near: Neighbour) -> None:
    port = Port(source="192.0.2.1", port=22)

    with pytest.raises(HostSpecError, match="No such file"):
        open_for(near.machine, port, HOUR)
    with pytest.raises(HostSpecError, match="No such file"):
        close(near.machine, port)


@pytest.mark.parametrize(
    ("source", "port"),
    [
        ("10.0.0.0/8", 22),
        ("fe80::1%eth0", 22),
        ("10.0.0.1 . tcp", 22),
        ("10.0.0.1", 0),
        (None, 65536),
    ],
)
def test_what_cannot_be_opened_is_refused(source: str | None, port: int) -> None:
    with pytest.raises(SpecError, match="to open or block"):
        Port(source=source, port=port)


@pytest.mark.parametrize("duration", [timedelta(0), timedelta(days=366)])
def test_a_time_that_cannot_be_is_refused(here: Transport, duration: timedelta) -> None:
    with pytest.raises(SpecError, match="a rule for"):
        open_for(here, Port(source="10.0.0.1", port=22), duration)
