import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Outcome, Spec, apply
from chalicelib.hostspec.resources import Link
from chalicelib.transport import Transport
from tests.hostspec.life import live, operation


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_link_lives(machine: Transport) -> None:
    live(
        machine,
        Link(path="/srv/link", target="/etc/hostname"),
        Link(path="/srv/link", target="/srv"),
        drift=["ln -sfn /nowhere /srv/link", "rm /srv/link"],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_what_is_no_link_is_neither_replaced_nor_removed(machine: Transport) -> None:
    machine.run("mkdir /srv/link")

    report = apply(Spec(Link(path="/srv/link", target="/etc")), machine)

    assert report.outcomes[0].outcome is Outcome.FAILED
    assert "is no link" in report.outcomes[0].tail
    assert operation(machine, Link(path="/srv/link", absent=True)).value == "nothing"
    machine.run("rmdir /srv/link")


def test_a_link_leads_somewhere() -> None:
    with pytest.raises(SpecError, match="target"):
        Link(path="/srv/link")
