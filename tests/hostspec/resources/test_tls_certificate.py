from pathlib import Path

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Spec, audit
from chalicelib.hostspec.resources import TlsCertificate
from chalicelib.hostspec.text import plan_text
from chalicelib.shell import Secret, explain, script
from chalicelib.transport import LocalTransport, Transport
from tests.hostspec.life import apply_well, live, operation

_PATH, _KEY_PATH = "/srv/life.crt", "/srv/life.key"


def _given(folder: Path, name: str) -> TlsCertificate:
    own = TlsCertificate(
        path=f"{folder}/{name}.pem", key_path=f"{folder}/{name}.key", names=(name,)
    )
    apply_well(LocalTransport(), own)
    key = Secret((folder / f"{name}.key").read_text())
    return TlsCertificate(
        path=_PATH, key_path=_KEY_PATH, pem=(folder / f"{name}.pem").read_text(), key=key
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_one_that_is_made_on_the_host_lives(machine: Transport) -> None:
    live(
        machine,
        TlsCertificate(path=_PATH, key_path=_KEY_PATH, names=("example.com",)),
        TlsCertificate(
            path=_PATH,
            key_path=_KEY_PATH,
            names=("www.example.com", "*.example.com", "10.0.0.1"),
            owner="daemon",
            group="adm",
            key_mode=0o640,
        ),
        drift=[
            "rm /srv/life.key",
            "cp /etc/hosts /srv/life.crt",
            "chmod 644 /srv/life.key",
            "chown root /srv/life.crt",
            "openssl genpkey -algorithm ed25519 -out /srv/life.key",
        ],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_one_that_is_given_lives(machine: Transport, tmp_path: Path) -> None:
    first, then = _given(tmp_path, "first.example.com"), _given(tmp_path, "then.example.com")

    live(machine, first, then, drift=["rm /srv/life.key", "cp /etc/hosts /srv/life.crt"])


def test_it_is_made_anew_before_it_expires_and_not_earlier(tmp_path: Path) -> None:
    def wanted(days: int, renew_days: int) -> TlsCertificate:
        return TlsCertificate(
            path=f"{tmp_path}/crt",
            key_path=f"{tmp_path}/key",
            names=("a",),
            days=days,
            renew_days=renew_days,
        )

    host = LocalTransport()
    apply_well(host, wanted(40, 30))
    before = (tmp_path / "crt").read_text()

    assert operation(host, wanted(400, 39)).value == "nothing"
    assert "until" in plan_text(audit(Spec(wanted(400, 50)), host), host="h")
    apply_well(host, wanted(400, 50))

    assert (tmp_path / "crt").read_text() != before


def test_no_key_is_shown(tmp_path: Path) -> None:
    given = _given(tmp_path, "a.example.com")
    assert given.key is not None
    hidden = given.key.reveal().splitlines()[1]

    plan = audit(Spec(given), LocalTransport())

    for text in (repr(plan), plan_text(plan, host="h"), explain(script(*given.actions()))):
        assert hidden not in text


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "a"},
        {"key_path": _PATH},
        {"names": ()},
        {"names": ("a,DNS:b",)},
        {"names": ("a b",)},
        {"key": Secret("x")},
        {"pem": "x", "key": Secret("x"), "names": ()},
        {"renew_days": 400},
        {"owner": "-R"},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(changes: dict[str, object]) -> None:
    good = {"path": _PATH, "key_path": _KEY_PATH, "names": ("a",)}
    with pytest.raises(SpecError, match="TLS certificate"):
        TlsCertificate(**{**good, **changes})  # type: ignore[arg-type]
