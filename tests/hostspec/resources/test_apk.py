"""Packages and repositories of Alpine, on a machine with OpenRC and a stand-in for apk."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chalicelib.hostspec import Outcome, Spec, apply
from chalicelib.hostspec.resources import Packages, Repository
from chalicelib.transport import Transport
from tests.hostspec.apks import ApkKey, put_repository, put_stand_in
from tests.hostspec.life import apply_well, live

_FOLDER = "/srv/apks"
_KEY = ApkKey.make("ours.rsa.pub")
_OURS = Repository(repository="ours", url=f"file://{_FOLDER}", key=_KEY.public)
_FROM = (_OURS.name,)
_OFFERED = ["berth-hull 1.0-r0", "berth-hull 2.0-r0", "berth-mast 1.0-r0 berth-hull"]


@pytest.fixture
def host(alpine: Transport) -> Iterator[Transport]:
    """A machine with a repository that it does not yet know."""
    put_stand_in(alpine)
    put_repository(alpine, _FOLDER, _OFFERED, _KEY)
    yield alpine
    alpine.run("rm -rf /sbin/apk /etc/apk /lib/apk /srv/apks /run/apk-signature")


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_packages_of_apk_live_and_are_held(host: Transport) -> None:
    live(
        host,
        Packages(names=("berth-mast", "berth-hull=2.0-r0"), needs=_FROM),
        Packages(names=("berth-hull", "berth-mast"), hold=True, needs=_FROM),
        drift=["apk add berth-hull", "apk del berth-mast", "apk add berth-hull=1.0-r0 berth-mast"],
        around=[_OURS],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_apk_installs_older_versions_and_leaves_what_is_there(host: Transport) -> None:
    apply_well(host, _OURS, Packages(names=("berth-hull=1.0-r0",), needs=_FROM))

    apply_well(host, Packages(names=("berth-hull", "berth-mast")))
    assert host.run("apk info -e -v berth-hull").text.strip() == "berth-hull-1.0-r0"

    apply_well(host, Packages(names=("berth-hull=2.0-r0",)))
    apply_well(host, Packages(names=("berth-hull=1.0-r0",)))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_apk_does_not_remove_what_others_need(host: Transport) -> None:
    apply_well(host, _OURS, Packages(names=("berth-mast",), needs=_FROM))

    report = apply(Spec(Packages(names=("berth-hull",), absent=True)), host)

    assert report.outcomes[0].outcome is Outcome.FAILED
    assert "berth-hull is needed by others" in report.outcomes[0].tail
    host.run("apk info -e berth-hull berth-mast")


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_apk_removes_what_is_there_beside_a_name_that_it_has_never_heard_of(
    host: Transport,
) -> None:
    apply_well(host, _OURS, Packages(names=("berth-mast",), needs=_FROM))

    apply_well(host, Packages(names=("berth-mast", "berth-nonesuch"), absent=True, purge=True))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_repository_of_apk_lives_and_foreign_lines_stay(host: Transport) -> None:
    host.run("mkdir -p /etc/apk")
    host.put(b"# mine\n/media/cdrom/apks\n", "/etc/apk/repositories")

    live(
        host,
        replace(_OURS, url="https://example.com/v3"),
        replace(_OURS, key=ApkKey.make("other").public),
        drift=[
            "sed -i s/srv/mnt/ /etc/apk/repositories",
            "cp /etc/hosts /etc/apk/repositories",
            "rm /etc/apk/keys/ours.rsa.pub",
            "cp /etc/hosts /etc/apk/keys/ours.rsa.pub",
        ],
    )

    assert b"ours" not in host.get("/etc/apk/repositories")
    assert host.get("/etc/apk/repositories") == host.get("/etc/hosts")


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_apk_takes_nothing_from_a_list_that_is_not_signed_with_the_key(host: Transport) -> None:
    hull = Packages(names=("berth-hull",), needs=_FROM)
    wrong = replace(_OURS, key=ApkKey.make("other").public)

    report = apply(Spec(wrong, hull), host)

    assert report.outcomes[-1].outcome is Outcome.FAILED
    assert "UNTRUSTED signature" in report.outcomes[-1].tail
    apply_well(host, _OURS, hull)
