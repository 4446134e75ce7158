from collections.abc import Callable
from itertools import count

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec.resources import Limit
from chalicelib.shell import q
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well, live


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_limit_lives(machine: Transport) -> None:
    live(
        machine,
        Limit(domain="@adm", item="nofile", soft=1000, hard=2000),
        Limit(domain="@adm", item="nofile", hard=3000),
        drift=[q("rm {path}", path="/etc/security/limits.d/berth-group,adm,nofile.conf")],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_session_has_its_limits(machine: Transport) -> None:
    limits = [
        Limit(domain="daemon", item="nofile", soft=300, hard=400),
        Limit(domain="*", item="core", soft=0, hard=0),
    ]
    try:
        apply_well(machine, *limits)
        said = machine.run("su -s /bin/sh daemon -c 'ulimit -Sn; ulimit -Hn; ulimit -Sc'").stdout
    finally:
        machine.run("sh -c 'rm -f /etc/security/limits.d/berth-*'")

    assert said.split() == [b"300", b"400", b"0"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Limit(domain="a b", item="nofile", soft=1),
        lambda: Limit(domain="a", item="files", soft=1),  # type: ignore[arg-type]
        lambda: Limit(domain="a", item="nofile"),
        lambda: Limit(domain="a", item="nofile", soft=-1),
        lambda: Limit(domain="a", item="nofile", hard="unlimited"),
        lambda: Limit(domain="a", item="nofile", soft=2, hard=1),
    ],
    ids=count(),
)
def test_what_is_no_limit_is_refused(make: Callable[[], Limit]) -> None:
    with pytest.raises(SpecError, match="limit "):
        make()


def test_each_domain_has_a_file_of_its_own() -> None:
    domains = ["all", "*", "group-adm", "@adm", "adm"]

    assert len({Limit(domain=each, item="core", soft=1).provides for each in domains}) == len(
        domains
    )
