import doctest

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Spec, audit
from chalicelib.hostspec.resources import IniSetting, ini_setting
from chalicelib.hostspec.text import plan_text
from chalicelib.shell import Secret, q
from chalicelib.transport import LocalTransport, Transport
from tests.hostspec.life import apply_well, live

PATH = "/srv/a.ini"
FOREIGN = "; top\nStorage=none\n[Journal]\n#Storage=auto\nSeal=yes\r\n\n# next\n[Other]\nStorage=1"


def test_the_examples_are_true() -> None:
    assert doctest.testmod(ini_setting).failed == 0


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_setting_lives_among_others(machine: Transport) -> None:
    machine.put(FOREIGN.encode(), PATH)
    edit = "s/^Storage = .*/Storage = b\\nStorage=c/"

    live(
        machine,
        IniSetting(path=PATH, section="Journal", option="Storage", value="volatile"),
        IniSetting(path=PATH, section="Journal", option="Storage", value=""),
        drift=[q("sed -i {edit} {path}", edit=edit, path=PATH)],
    )

    assert machine.get(PATH) == FOREIGN.encode()
    machine.run(q("rm {path}", path=PATH))


def test_a_setting_is_put_into_its_section(tmp_path: object) -> None:
    path, here = f"{tmp_path}/a.ini", LocalTransport()
    here.put(FOREIGN.encode(), path)
    settings = [
        IniSetting(path=path, section="Journal", option="Storage", value="a", between="="),
        IniSetting(path=path, section="New", option="x", value="y"),
        IniSetting(path=path, option="Storage", value="b"),
    ]

    apply_well(here, *settings)

    assert here.get(path).decode() == (
        "; top\nStorage = b\n[Journal]\n#Storage=auto\nSeal=yes\r\nStorage=a\n\n# next\n"
        "[Other]\nStorage=1\n\n[New]\nx = y\n"
    )


def test_a_secret_value_is_in_no_plan(tmp_path: object) -> None:
    path = f"{tmp_path}/c"
    apply_well(LocalTransport(), IniSetting(path=path, option="p", value=Secret("marlin")))

    plan = audit(Spec(IniSetting(path=path, option="p", value=Secret("tuna"))), LocalTransport())

    assert "marlin" not in repr(plan) + plan_text(plan, host="h")
    assert "tuna" not in repr(plan) + plan_text(plan, host="h")


@pytest.mark.parametrize(("option", "value"), [("a=", "b"), ("", "b"), ("a", "b\nc"), ("#a", "")])
def test_what_is_no_option_is_refused(option: str, value: str) -> None:
    with pytest.raises(SpecError):
        IniSetting(path="/a", option=option, value=value)
