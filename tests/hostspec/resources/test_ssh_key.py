import base64
from collections.abc import Iterator
from dataclasses import replace

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Outcome, Spec, apply
from chalicelib.hostspec.resources import SshKey
from chalicelib.shell import append_to, command, println, redirect
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well, live

_HOME = "/srv/keys"
_FILE = f"{_HOME}/.ssh/authorized_keys"


def _key(seed: int, comment: str = "") -> str:
    kind = b"ssh-ed25519"
    blob = len(kind).to_bytes(4, "big") + kind + (32).to_bytes(4, "big") + bytes([seed] * 32)
    return f"{kind.decode()} {base64.b64encode(blob).decode()} {comment}".strip()


@pytest.fixture
def host(machine: Transport) -> Iterator[Transport]:
    """A machine with a home for keys."""
    machine.run(command("mkdir", _HOME))
    yield machine
    machine.run(command("rm", "-r", _HOME))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_key_lives_among_others(host: Transport) -> None:
    host.run(command("mkdir", f"{_HOME}/.ssh"))
    foreign = _key(9, "of somebody else")
    host.run(redirect(println(foreign), append_to(_FILE)))

    live(
        host,
        SshKey(user="daemon", key=_key(1, "one"), home=_HOME),
        SshKey(user="daemon", key=_key(1), home=_HOME, options=("no-pty", 'command="/bin/a b"')),
        drift=[
            command("chmod", "666", _FILE),
            command("chmod", "755", f"{_HOME}/.ssh"),
            command("chown", "root", _FILE),
            redirect(println(_key(1, "again")), append_to(_FILE)),
            command("rm", _FILE),
        ],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_keys_of_others_stay(host: Transport) -> None:
    host.run(command("mkdir", f"{_HOME}/.ssh"))
    foreign = _key(9, "of somebody else")
    host.run(redirect(println(foreign), append_to(_FILE)))
    ours = SshKey(user="daemon", key=_key(1), home=_HOME)

    apply_well(host, ours, SshKey(user="daemon", key=_key(2), home=_HOME))
    assert host.get(_FILE).decode().splitlines() == [foreign, _key(1), _key(2)]

    apply_well(host, replace(ours, absent=True))
    assert host.get(_FILE).decode().splitlines() == [foreign, _key(2)]


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_link_of_the_user_is_not_followed(host: Transport) -> None:
    host.run(command("ln", "-s", "/etc", f"{_HOME}/.ssh"))

    report = apply(Spec(SshKey(user="daemon", key=_key(1), home=_HOME)), host)

    assert report.outcomes[0].outcome is Outcome.FAILED
    assert "links" in report.outcomes[0].tail
    assert host.run("test -e /etc/authorized_keys", check=False).exit_status == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"user": "-r"},
        {"key": "ssh-ed25519"},
        {"key": "ssh-ed25519 AAAA"},
        {"key": _key(1).replace("ssh-ed25519", "ssh-rsa")},
        {"key": _key(1) + "\nssh-rsa x"},
        {"options": ('command="a" b',)},
        {"options": ('command="a\nb"',)},
        {"home": "srv"},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(SpecError, match="SSH key"):
        SshKey(**{"user": "daemon", "key": _key(1), **changes})  # type: ignore[arg-type]
