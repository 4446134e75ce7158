"""The real dnf and rpm, which Debian has too, on a machine that says that it is Fedora."""

from collections.abc import Iterator

import pytest

from chalicelib.hostspec import Outcome, Spec, apply
from chalicelib.hostspec.resources import Packages, Repository
from chalicelib.shell import all_of, command, env, println, q, redirect, script, unless, write_to
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well

_FOLDER = "/srv/rpms"
_SYSTEM = "/etc/os-release"
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_OURS = Repository(repository="ours", url=f"file://{_FOLDER}", unsigned=True)
_BUILT = [("berth-hull", "1.0", ""), ("berth-hull", "2.0", ""), ("berth-mast", "1.0", "berth-hull")]


def _build(machine: Transport, name: str, version: str, needs: str) -> None:
    head = f"Name: {name}\nVersion: {version}\nRelease: 1\nSummary: test\nLicense: MIT\n"
    needed = f"Requires: {needs}\n" if needs else ""
    text = f"{head}BuildArch: noarch\n{needed}%description\nof a test\n%files\n"
    machine.put(text.encode(), f"{_FOLDER}/test.spec")
    defined = ["--define", f"_topdir {_FOLDER}/build", "--define", f"_rpmdir {_FOLDER}"]
    machine.run(command("rpmbuild", "--quiet", "-bb", defined, f"{_FOLDER}/test.spec"))


@pytest.fixture
def fedora(machine: Transport) -> Iterator[Transport]:
    """A machine with a repository of tiny packages. dnf stays on it, unused by other tests."""
    got = env(
        all_of(
            q("apt-get -q update"),
            q("apt-get -qy --no-install-recommends install dnf rpm createrepo-c"),
        ),
        DEBIAN_FRONTEND="noninteractive",
        PATH=_PATH,
    )
    machine.run(unless(redirect(q("dnf --version"), write_to("/dev/null")), got))
    machine.run(command("mkdir", "-p", _FOLDER))
    for each in _BUILT:
        _build(machine, *each)
    machine.run(command("createrepo_c", "-q", _FOLDER))
    machine.run(command("mv", _SYSTEM, f"{_SYSTEM}.kept"))
    machine.run(redirect(script(println("ID=fedora")), write_to(_SYSTEM)))
    try:
        yield machine
    finally:
        machine.run(command("mv", f"{_SYSTEM}.kept", _SYSTEM))
        machine.run("rpm -e berth-mast berth-hull", check=False)
        machine.run(command("rm", "-rf", _FOLDER, "/etc/yum.repos.d/ours.repo"))


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
