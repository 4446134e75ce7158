import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Outcome, Spec, apply
from chalicelib.hostspec.resources import Directory
from chalicelib.shell import q
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well, live, operation

PATH = "/srv/life"


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_directory_lives(machine: Transport) -> None:
    live(
        machine,
        Directory(path=PATH),
        Directory(path=PATH, mode=0o2750, owner="daemon", group="adm"),
        drift=["chmod 777 /srv/life", "chown root /srv/life", "rmdir /srv/life"],
    )


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_directory_with_something_in_it_is_removed_only_with_its_content(
    machine: Transport,
) -> None:
    apply_well(machine, Directory(path=PATH))
    machine.run(q("touch {file}", file=f"{PATH}/file"))

    report = apply(Spec(Directory(path=PATH, absent=True)), machine)
    assert [each.outcome for each in report.outcomes] == [Outcome.FAILED]
    assert "not empty" in report.outcomes[0].tail
    assert "rmdir" in report.outcomes[0].command

    apply_well(machine, Directory(path=PATH, absent=True, with_content=True))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_file_in_its_place_is_not_removed(machine: Transport) -> None:
    machine.run(q("touch {path}", path=PATH))

    report = apply(Spec(Directory(path=PATH)), machine)
    assert report.outcomes[0].outcome is Outcome.FAILED

    assert operation(machine, Directory(path=PATH, absent=True)).value == "nothing"
    machine.run(q("rm {path}", path=PATH))


@pytest.mark.parametrize("path", ["", "srv", "/a/../b", "/a/", "//a", "/a\nb", "/a\\b"])
def test_a_path_that_is_not_plain_is_refused(path: str) -> None:
    with pytest.raises(SpecError, match="path"):
        Directory(path=path)


@pytest.mark.parametrize("path", ["/", "/etc", "/usr"])
def test_what_the_system_needs_is_not_removed(path: str) -> None:
    with pytest.raises(SpecError, match="the system needs it"):
        Directory(path=path, absent=True, with_content=True)


def test_an_owner_that_is_an_option_is_refused() -> None:
    with pytest.raises(SpecError, match="owner"):
        Directory(path="/a", owner="--reference=/etc/shadow")
