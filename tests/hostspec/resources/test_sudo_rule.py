import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec.resources import SudoRule
from chalicelib.shell import command
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well, live


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_rule_lives(machine: Transport) -> None:
    live(
        machine,
        SudoRule(rule="life", user="daemon"),
        SudoRule(
            rule="life",
            group="adm",
            as_user="daemon",
            commands=("/bin/a --b=c:d,e", "/bin/true"),
            nopasswd=True,
        ),
        drift=[
            "chmod 644 /etc/sudoers.d/life",
            "chown daemon /etc/sudoers.d/life",
            "cp /etc/hosts /etc/sudoers.d/life",
            "rm -f /etc/sudoers.d/life",
        ],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_rule_lets_do_just_what_it_says(machine: Transport) -> None:
    apply_well(machine, SudoRule(rule="life", user="daemon", commands=("/bin/id",), nopasswd=True))
    try:
        asked = ("setpriv", "--reuid", "daemon", "--clear-groups", "sudo", "-n")

        assert machine.run(command(asked, "/bin/id", "-un")).stdout == b"root\n"
        assert machine.run(command(asked, "/bin/cat", "/etc/shadow"), check=False).exit_status == 1
    finally:
        apply_well(machine, SudoRule(rule="life", absent=True))


@pytest.mark.parametrize(
    "changes",
    [
        {"rule": "a.b"},
        {"rule": "../a"},
        {"user": ""},
        {"group": "adm"},
        {"user": "ALL, root"},
        {"as_user": "a b"},
        {"commands": ()},
        {"commands": ("id",)},
        {"commands": ("/bin/*",)},
        {"commands": ("/bin/a\nroot ALL=(ALL) ALL",)},
        {"commands": ("!/bin/a",)},
        {"commands": ("/bin/a \\",)},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(SpecError, match="sudo rule"):
        SudoRule(**{"rule": "life", "user": "daemon", **changes})  # type: ignore[arg-type]
