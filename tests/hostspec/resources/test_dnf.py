"""The real dnf and rpm, which Debian has too, on a machine that says that it is Fedora."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chalicelib.hostspec import Outcome, Spec, apply
from chalicelib.hostspec.resources import Packages, Repository
from chalicelib.shell import command, println, redirect, write_to
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well, live
from tests.hostspec.rpms import Rpm, install_dnf, make_key, put_repository

_FOLDER = "/srv/rpms"
_SIGNED = "/srv/signed-rpms"
_SYSTEM = "/etc/os-release"
_OURS = Repository(repository="ours", url=f"file://{_FOLDER}", unsigned=True)
_MAST = Rpm(name="berth-mast", version="1.0", needs="berth-hull")
_HULL = [Rpm(name="berth-hull", version=version) for version in ("1.0", "2.0")]
_OAR = Rpm(name="berth-oar", version="1.0")


@pytest.fixture(scope="session")
def rpms(machine: Transport) -> Transport:
    """A machine with dnf, and repositories of tiny packages. They stay on it, unused by others."""
    install_dnf(machine)
    for name in ("right", "wrong"):
        make_key(machine, name)
    put_repository(machine, [*_HULL, _MAST, _OAR], _FOLDER)
    put_repository(machine, [replace(_OAR, key="right")], _SIGNED)
    return machine


@pytest.fixture
def fedora(rpms: Transport) -> Iterator[Transport]:
    """That machine while it says that it is Fedora."""
    rpms.run(command("mv", _SYSTEM, f"{_SYSTEM}.kept"))
    rpms.run(redirect(println("ID=fedora"), write_to(_SYSTEM)))
    try:
        yield rpms
    finally:
        rpms.run(command("mv", f"{_SYSTEM}.kept", _SYSTEM))
        rpms.run("rpm -e berth-mast berth-hull", check=False)
        rpms.run("rpm -e berth-oar", check=False)
        rpms.run("dnf -q versionlock clear", check=False)
        rpms.run("rm -f /etc/yum.repos.d/ours.repo /etc/pki/rpm-gpg/ours.asc")


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_dnf_installs_pins_and_removes(fedora: Transport) -> None:
    apply_well(fedora, _OURS, Packages(names=("berth-hull=1.0-1",), needs=(_OURS.name,)))
    apply_well(fedora, Packages(names=("berth-hull", "berth-mast")))
    assert b"berth-hull-1.0" in fedora.run("rpm -q berth-hull").stdout

    apply_well(fedora, Packages(names=("berth-hull=2.0-1",)))
    apply_well(fedora, Packages(names=("berth-hull=1.0-1", "berth-mast")))

    report = apply(Spec(Packages(names=("berth-hull",), absent=True)), fedora)
    assert report.outcomes[0].outcome is Outcome.FAILED
    assert "berth-mast" in report.outcomes[0].tail

    apply_well(fedora, Packages(names=("berth-hull", "berth-mast"), absent=True))
    apply_well(fedora, Repository(repository="ours", absent=True))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_packages_of_dnf_live_and_are_held(fedora: Transport) -> None:
    live(
        fedora,
        Packages(names=("berth-mast", "berth-hull=2.0-1"), needs=(_OURS.name,)),
        Packages(names=("berth-mast", "berth-hull=1.0-1"), hold=True, needs=(_OURS.name,)),
        drift=[
            "dnf -q versionlock delete berth-hull",
            "dnf -q -y --disableplugin=versionlock upgrade berth-hull",
            "rpm -e berth-mast",
        ],
        around=[_OURS],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_dnf_does_not_upgrade_what_is_held(fedora: Transport) -> None:
    def upgraded() -> str:
        fedora.run("dnf -q -y upgrade berth-hull")
        return fedora.run("rpm -q berth-hull").text.strip()

    held = Packages(names=("berth-hull=1.0-1",), hold=True, needs=(_OURS.name,))

    apply_well(fedora, _OURS, held)
    assert upgraded() == "berth-hull-1.0-1.noarch"
    apply_well(fedora, Packages(names=("berth-hull",)))
    assert upgraded() == "berth-hull-2.0-1.noarch"


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_repository_of_dnf_lives(fedora: Transport) -> None:
    right, wrong = (make_key(fedora, name) for name in ("right", "wrong"))

    live(
        fedora,
        Repository(repository="ours", url=f"file://{_FOLDER}", key=wrong),
        Repository(repository="ours", url=f"file://{_SIGNED}", key=right),
        drift=[
            "cp /etc/hosts /etc/yum.repos.d/ours.repo",
            "rm /etc/pki/rpm-gpg/ours.asc",
            "rm /etc/yum.repos.d/ours.repo",
        ],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_dnf_refuses_what_is_not_signed_with_the_key(fedora: Transport) -> None:
    right, wrong = (make_key(fedora, name) for name in ("right", "wrong"))
    oar = Packages(names=("berth-oar",), needs=(_OURS.name,))

    def told(folder: str, key: str) -> tuple[Outcome, str]:
        ours = Repository(repository="ours", url=f"file://{folder}", key=key)
        last = apply(Spec(ours, oar), fedora).outcomes[-1]
        return last.outcome, last.tail

    unsigned, by_another, by_it = told(_FOLDER, right), told(_SIGNED, wrong), told(_SIGNED, right)

    assert unsigned[0] is by_another[0] is Outcome.FAILED
    assert "is not signed" in unsigned[1]
    assert by_it == (Outcome.DONE, "")


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_rpm_forgets_the_key_of_a_repository_that_is_gone(fedora: Transport) -> None:
    """Dnf gives a key to rpm, which from then on takes it for whatever repository."""
    right, wrong = (make_key(fedora, name) for name in ("right", "wrong"))
    ours = Repository(repository="ours", url=f"file://{_SIGNED}", key=right)
    oar = Packages(names=("berth-oar",), needs=(ours.name,))

    apply_well(fedora, ours, oar)
    apply_well(fedora, replace(oar, needs=(), absent=True), replace(ours, absent=True))
    assert fedora.run("rpm -q gpg-pubkey", check=False).exit_status == 1

    apply_well(fedora, ours, oar)
    apply_well(fedora, Packages(names=("berth-oar",), absent=True))
    report = apply(Spec(replace(ours, key=wrong), oar), fedora)
    assert report.outcomes[-1].outcome is Outcome.FAILED
