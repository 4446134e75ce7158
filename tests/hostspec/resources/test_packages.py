from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import SpecError
from chalicelib.hostspec import Outcome, Spec, apply
from chalicelib.hostspec.resources import Packages
from chalicelib.hostspec.resources.package_facts import PACKAGES
from chalicelib.shell import (
    append_to,
    command,
    exists,
    println,
    redirect,
    render,
    script,
    until,
    write_to,
)
from chalicelib.transport import Transport
from tests.hostspec.debs import FOLDER, Deb, put_repository
from tests.hostspec.life import apply_well, live, operation

_SOURCE = "/etc/apt/sources.list.d/test.list"
_PATH = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
"""dpkg looks for programs there, and does nothing without them."""
_SETTINGS = "/etc/berth-hull.conf"
_HULL = [
    Deb(name="berth-hull", version=version, files={_SETTINGS: f"version {version}\n"})
    for version in ("1.0-1", "2.0-1")
]
_MAST = Deb(name="berth-mast", version="1:3.0", depends="berth-hull")
_BROKEN = Deb(
    name="berth-leak",
    version="1.0",
    scripts={"postinst": "#!/bin/sh\ntest -e /srv/mended\n"},
)
_ALL = [*_HULL, _MAST, _BROKEN]


@pytest.fixture
def host(machine: Transport) -> Iterator[Transport]:
    """A machine with a repository of tiny packages, and no other: nothing comes from the network."""
    put_repository(machine, _ALL)
    machine.run("mkdir -p /srv/kept-lists")
    machine.run("mv /etc/apt/sources.list /srv/kept-lists/sources.list", check=False)
    machine.run(redirect(println(f"deb [trusted=yes] file:{FOLDER} ./"), write_to(_SOURCE)))
    yield machine
    names = [each.name for each in _ALL[1:]]
    machine.run(command("apt-mark", "unhold", names), check=False)
    machine.run(command("env", _PATH, "dpkg", "--purge", "--force-all", names), check=False)
    machine.run("mv /srv/kept-lists/sources.list /etc/apt/sources.list", check=False)
    machine.run(
        command("rm", "-rf", _SOURCE, FOLDER, "/srv/kept-lists", "/srv/mended", "/srv/began")
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_packages_live(host: Transport) -> None:
    live(
        host,
        Packages(names=("berth-mast", "berth-hull=2.0-1")),
        Packages(names=("berth-mast", "berth-hull=1.0-1"), hold=True, purge=True),
        drift=[
            "apt-mark unhold berth-hull",
            command("env", _PATH, "dpkg", "--purge", "--force-all", "berth-mast"),
            command(
                "env",
                _PATH,
                "apt-get",
                "-qy",
                "--allow-change-held-packages",
                "install",
                "berth-hull=2.0-1",
            ),
        ],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_what_is_there_is_not_upgraded_and_changed_settings_are_kept(host: Transport) -> None:
    apply_well(host, Packages(names=("berth-hull=1.0-1",)))
    host.run(redirect(println("ours"), append_to(_SETTINGS)))

    apply_well(host, Packages(names=("berth-hull", "berth-mast")))
    assert b"1.0-1" in host.run("dpkg-query -W berth-hull").stdout

    apply_well(host, Packages(names=("berth-hull=2.0-1",)))
    assert host.run(command("cat", _SETTINGS)).stdout == b"version 1.0-1\nours\n"


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_removed_packages_leave_their_settings_unless_they_are_purged(host: Transport) -> None:
    apply_well(host, Packages(names=("berth-hull",)))

    apply_well(host, Packages(names=("berth-hull",), absent=True))
    host.run(command("test", "-e", _SETTINGS))

    apply_well(host, Packages(names=("berth-hull",), absent=True, purge=True))
    assert host.run(command("test", "-e", _SETTINGS), check=False).exit_status == 1


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_what_others_need_is_not_removed(host: Transport) -> None:
    apply_well(host, Packages(names=("berth-mast",)))

    report = apply(Spec(Packages(names=("berth-hull",), absent=True)), host)

    assert report.outcomes[0].outcome is Outcome.FAILED
    assert "berth-mast" in report.outcomes[0].tail
    host.run("dpkg-query -W berth-hull berth-mast")
    apply_well(host, Packages(names=("berth-hull", "berth-mast"), absent=True))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_an_install_that_was_cut_short_is_finished(host: Transport) -> None:
    leak = Packages(names=("berth-leak",))
    report = apply(Spec(leak), host)
    assert report.outcomes[0].outcome is Outcome.FAILED
    assert operation(host, leak).value == "change"

    host.run("touch /srv/mended")
    # As dpkg leaves it when it is killed: apt then does nothing before this is settled.
    host.run(redirect(println(""), write_to("/var/lib/dpkg/updates/0001")))
    apply_well(host, leak)


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_change_of_a_repository_is_seen(host: Transport) -> None:
    apply_well(host, Packages(names=("berth-hull",)))
    put_repository(host, [*_ALL, Deb(name="berth-mast", version="4.0")])
    host.run(command("touch", _SOURCE))

    apply_well(host, Packages(names=("berth-mast=4.0",)))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_it_waits_for_whoever_installs_now(host: Transport) -> None:
    slow = Deb(
        name="berth-mast",
        version="9",
        scripts={"postinst": "#!/bin/sh\ntouch /srv/began\nsleep 3\n"},
    )
    put_repository(host, [*_ALL, slow])
    host.run("apt-get -q update")

    host.run("systemd-run --quiet apt-get -qy install berth-mast=9")
    host.run(until(exists("/srv/began"), "sleep 0.1"), timeout_s=20)
    apply_well(host, Packages(names=("berth-hull=1.0-1",)))

    assert b"\nStatus: install ok installed" in host.run("dpkg -s berth-mast").stdout


@pytest.mark.lxd
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["berth-nonesuch", "berth.hull", "berth.hul+"])
def test_nothing_unknown_is_installed(host: Transport, name: str) -> None:
    """Apt would take the second for a regular expression, and install what it matches."""
    report = apply(Spec(Packages(names=(name,))), host)

    assert report.outcomes[0].outcome is Outcome.FAILED
    assert f"Unable to locate package {name}" in report.outcomes[0].tail


@pytest.mark.parametrize(
    ("changes", "facts", "parts"),
    [
        ({"hold": True}, "redhat", ["dnf-command(versionlock)", "--refresh"]),
        ({}, "alpine", ["--wait 300", "--update-cache"]),
    ],
    ids=str,
)
def test_each_system_has_its_own_program(
    changes: dict[str, object], facts: str, parts: list[str]
) -> None:
    packages = Packages(**{"names": ("a=1.0", "b"), **changes})  # type: ignore[arg-type]

    text = render(script(*packages.actions()), facts={facts})

    assert [part for part in parts if part not in text] == []


def test_the_answers_of_each_system_are_understood() -> None:
    said = b"""
dpkg|a|amd64|1:2.0-1|hi |
dpkg|b|all|1|iF |
dpkg|c|all|1|rc |
dpkg|d|all||un |
rpm|a|x86_64|2.0-1.el9|
package b is not installed
lock|a-0:2.0-1.el9.*|
lock|# comment|
apk|a-2.0-r1|
apk|b-c-1.0_rc1-r0|
world|b-c=1.0_rc1-r0|
world|a>1|
"""
    found = PACKAGES.read(said, ("a", "b", "c", "d", "b-c"))

    shown = {
        (name, family): (each.state, each.version, each.held)
        for name, families in found.items()
        for family, each in families.items()
    }
    assert shown == {
        ("a", "debian"): ("installed", "1:2.0-1", True),
        ("b", "debian"): ("half installed", "1", False),
        ("c", "debian"): ("settings", "1", False),
        ("a", "redhat"): ("installed", "2.0-1.el9", True),
        ("a", "alpine"): ("installed", "2.0-r1", False),
        ("b-c", "alpine"): ("installed", "1.0_rc1-r0", True),
    }


@given(said=st.binary(max_size=200))
def test_strange_answers_do_no_harm(said: bytes) -> None:
    assert set(PACKAGES.read(said, ("a",))) == {"a"}


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("",),
        ("-x",),
        ("a b",),
        ("a*",),
        ("a-",),
        ("a=",),
        ("a=-1",),
        ("a=1 2",),
        ("a", "a=1"),
        ("a/b",),
    ],
    ids=str,
)
def test_what_is_no_package_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(SpecError, match="packages"):
        Packages(names=names)
