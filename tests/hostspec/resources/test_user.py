from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.errors import SpecError
from chalicelib.hostspec import Spec, apply, audit, look
from chalicelib.hostspec.resources import Directory, File, Group, User
from chalicelib.hostspec.resources.account_facts import ACCOUNTS
from chalicelib.hostspec.text import plan_text
from chalicelib.shell import render, script
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well, live, operation


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_user_lives(machine: Transport) -> None:
    machine.run("rm -rf /home/bosun /srv/bosun")
    try:
        live(
            machine,
            User(user="bosun"),
            User(
                user="bosun",
                uid=4511,
                group="crew",
                groups=("adm", "mates"),
                exact_groups=True,
                home="/srv/bosun",
                login_shell="/bin/bash",
                comment="of the ship",
                locked=True,
                with_home=True,
            ),
            around=[Group(group="crew"), Group(group="mates")],
            drift=[
                "/usr/sbin/usermod -u 4512 bosun",
                "/usr/sbin/usermod -g daemon bosun",
                "/usr/sbin/usermod -a -G tty bosun",
                "gpasswd -d bosun mates",
                "/usr/sbin/usermod -s /bin/sh -d /tmp -c other bosun",
                "/usr/sbin/usermod -p x bosun",
                "rm -r /srv/bosun",
            ],
        )
        assert machine.run("test -e /srv/bosun", check=False).exit_status == 1
    finally:
        machine.run("rm -rf /home/bosun")
        apply(Spec(Group(group="crew", absent=True), Group(group="mates", absent=True)), machine)


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_home_is_the_users_and_stays_when_the_user_goes(machine: Transport) -> None:
    apply_well(machine, User(user="bosun"))
    try:
        shown = machine.run("stat -c %A:%U:%G /home/bosun /home/bosun/.profile").stdout.decode()
        assert shown == "drwx------:bosun:bosun\n-rw-r--r--:bosun:bosun\n"
        machine.run("touch /home/bosun/diary")

        apply_well(machine, User(user="bosun", absent=True))
        machine.run("test -e /home/bosun/diary")
    finally:
        machine.run("rm -r /home/bosun")


def test_what_is_in_a_home_comes_after_the_user() -> None:
    parts = File(path="/srv/app/page"), User(user="bosun", home="/srv/app")
    folder = Directory(path="/srv/app", owner="bosun")

    assert [each.kind for each in Spec(*parts).resources] == ["user", "file"]
    ordered = [each.kind for each in Spec(folder, *parts).resources]
    assert ordered == ["user", "directory", "file"]


def test_what_is_in_a_home_that_is_removed_is_refused() -> None:
    bosun = User(user="bosun", absent=True)
    page = File(path="/home/bosun/page")

    assert Spec(page, bosun).resources
    with pytest.raises(SpecError, match="user bosun, which is to be removed"):
        Spec(page, replace(bosun, with_home=True))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_home_of_another_owner_is_not_removed(machine: Transport) -> None:
    machine.run("mkdir /srv/shared")
    try:
        ours = User(user="bosun", home="/srv/shared", with_home=True)
        apply_well(machine, ours)
        apply_well(machine, User(user="bosun", home="/srv/shared", with_home=True, absent=True))
        machine.run("test -d /srv/shared")
    finally:
        machine.run("rmdir /srv/shared")


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_other_groups_of_a_user_stay(machine: Transport) -> None:
    machine.run("/usr/sbin/useradd -G tty visitor")
    try:
        apply_well(machine, User(user="visitor", groups=("adm",), home="/srv/visitor"))
        found = machine.run("id -nG visitor").stdout.decode().split()
        assert set(found) == {"visitor", "tty", "adm"}
    finally:
        machine.run("/usr/sbin/userdel visitor")
        machine.run("rm -rf /srv/visitor")


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_service_has_no_home_and_no_login(machine: Transport) -> None:
    service = User(user="pump", system=True)
    owned = File(path="/etc/pump.conf", owner="pump", group="pump")
    try:
        apply_well(machine, owned, service)
        account = machine.run("getent passwd pump").stdout.decode().strip().split(":")
        assert int(account[2]) < 1000
        assert account[5:] == ["/nonexistent", "/usr/sbin/nologin"]
    finally:
        apply_well(machine, User(user="pump", absent=True), File(path=owned.path, absent=True))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_no_hash_of_a_password_leaves_the_host(machine: Transport) -> None:
    spec = Spec(User(user="bosun", locked=True, home="/srv"))
    machine.run("/usr/sbin/useradd -M -d /srv -g daemon bosun")
    machine.run("/usr/sbin/usermod -p sixsaltandhash bosun")
    try:
        facts = look(spec, machine)
        assert facts[ACCOUNTS()].users["bosun"].lock == "set"
        assert "sixsalt" not in repr(facts[ACCOUNTS()])
        assert "set -> locked" in plan_text(audit(spec, machine), host="h")
    finally:
        machine.run("/usr/sbin/userdel bosun")


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_the_one_who_is_not_there_is_not_removed_twice(machine: Transport) -> None:
    apply(Spec(User(user="ghost", absent=True)), machine).check()
    assert operation(machine, User(user="ghost", absent=True)).value == "nothing"


def test_alpine_has_its_own_programs() -> None:
    user = User(user="bosun", uid=4511, groups=("mates",), exact_groups=True, locked=True)

    text = render(script(*user.actions()), facts={"alpine"})

    assert "adduser -u 4511 -D -H -G bosun -h /home/bosun -s /bin/sh bosun" in text
    assert "addgroup bosun mates" in text
    assert "chpasswd -e" in text
    assert "usermod" not in text
    assert "deluser bosun" in render(
        script(*User(user="bosun", absent=True).actions()), facts={"alpine"}
    )


@given(said=st.binary(max_size=200))
def test_strange_answers_do_no_harm(said: bytes) -> None:
    assert set(ACCOUNTS().fact.read(said, ("",))) == {""}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"user": "-r"}, "user"),
        ({"user": "0"}, "user"),
        ({"group": "a,b"}, "group"),
        ({"groups": ("a b",)}, "group"),
        ({"uid": -1}, "uid"),
        ({"home": "home"}, "home"),
        ({"home": "/a:b"}, "home"),
        ({"login_shell": "sh"}, "shell"),
        ({"comment": "a:b"}, "comment"),
        ({"comment": "a\nb"}, "comment"),
        ({"user": "root", "absent": True}, "the system needs it"),
        ({"home": "/srv", "with_home": True, "absent": True}, "alone"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(changes: dict[str, object], why: str) -> None:
    with pytest.raises(SpecError, match=why):
        User(**{"user": "bosun", **changes})  # type: ignore[arg-type]
