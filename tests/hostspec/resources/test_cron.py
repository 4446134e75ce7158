from collections.abc import Callable
from itertools import count

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec.resources import Cron
from chalicelib.shell import Secret, pipe, q, script
from chalicelib.transport import Transport
from tests.hostspec.life import live

PATH = "/etc/cron.d/berth-life"


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_cron_entry_lives(machine: Transport) -> None:
    live(
        machine,
        Cron(id="berth-life", run="true"),
        Cron(id="berth-life", run=pipe("date +%s", "cat"), minute="*/5", user="daemon"),
        drift=[q("chmod 666 {path}", path=PATH), q("rm {path}", path=PATH)],
    )


def test_an_entry_is_written_as_cron_reads_it() -> None:
    entry = Cron(
        id="a",
        run=q("date {form}", form="+%F $(x)"),
        minute="1-9/2,30",
        weekday="0",
        environment={"MAILTO": "me"},
    )

    content = entry.wanted()["content"]

    assert content == "MAILTO=\"me\"\n1-9/2,30 * * * 0 root date '+\\%F $(x)'\n"


def test_a_secret_in_the_environment_is_for_root_alone() -> None:
    fields = Cron(id="a", run="true", environment={"KEY": Secret("swordfish")}).wanted()

    assert fields["mode"] == "0600"
    assert "swordfish" not in repr(fields)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Cron(id="a.b", run="true"),
        lambda: Cron(id="a"),
        lambda: Cron(id="a", run=script("a", "b")),
        lambda: Cron(id="a", run=q("echo {text}", text="a\\b")),
        lambda: Cron(id="a", run=q("echo {text}", text=Secret("a"))),
        lambda: Cron(id="a", run="true", user="a b"),
        lambda: Cron(id="a", run="true", minute="60"),
        lambda: Cron(id="a", run="true", hour="5-3"),
        lambda: Cron(id="a", run="true", day="0"),
        lambda: Cron(id="a", run="true", month="*/0"),
        lambda: Cron(id="a", run="true", weekday="mon"),
        lambda: Cron(id="a", run="true", minute=""),
        lambda: Cron(id="a", run="true", environment={"A B": "c"}),
        lambda: Cron(id="a", run="true", environment={"A": 'c"'}),
    ],
    ids=count(),
)
def test_what_cron_would_misread_is_refused(make: Callable[[], Cron]) -> None:
    with pytest.raises(SpecError, match="cron a"):
        make()
