import doctest

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Spec, spec
from chalicelib.hostspec.resources import Directory, File, Link, Packages
from tests.hostspec.steps import Step


def test_the_examples_are_true() -> None:
    assert doctest.testmod(spec).failed == 0


def test_groups_nest_and_what_two_of_them_ask_for_counts_once() -> None:
    shared = Directory(path="/srv")
    inner = Spec(shared, File(path="/srv/a"))

    both = Spec(inner, [shared, (File(path="/srv/b"),)])

    assert [each.name for each in both.resources] == [
        "directory /srv",
        "file /srv/a",
        "file /srv/b",
    ]


def test_two_that_differ_about_one_thing_are_refused() -> None:
    with pytest.raises(SpecError, match="directory /srv is there twice"):
        Spec(Directory(path="/srv"), Directory(path="/srv", mode=0o700))
    with pytest.raises(SpecError, match="path /srv is there twice: by directory /srv and by link"):
        Spec(Directory(path="/srv"), Link(path="/srv", target="/"))


def test_a_package_may_be_in_two_lists_that_agree_about_it() -> None:
    two = Spec(Packages(names=("curl", "git")), Packages(names=("curl", "jq")))

    assert [each.name for each in two.resources] == ["packages curl git", "packages curl jq"]
    with pytest.raises(SpecError, match=r"package curl is to be installed for .*, and removed for"):
        Spec(Packages(names=("curl", "git")), Packages(names=("curl",), absent=True))
    with pytest.raises(SpecError, match=r"package curl is to be installed for .*, and 1.2 for"):
        Spec(Packages(names=("curl", "git")), Packages(names=("curl=1.2",)))


def test_what_is_removed_goes_before_its_folder() -> None:
    gone = Spec(Directory(path="/srv", absent=True), File(path="/srv/a", absent=True))

    assert [each.name for each in gone.resources] == ["file /srv/a", "directory /srv"]


def test_a_file_in_a_folder_that_is_to_be_removed_is_refused() -> None:
    with pytest.raises(SpecError, match="file /srv/a needs directory /srv, which is to be removed"):
        Spec(Directory(path="/srv", absent=True), File(path="/srv/a"))


def test_a_reaction_that_does_nothing_is_refused() -> None:
    with pytest.raises(SpecError, match="nothing is done there"):
        Spec(File(path="/a"), File(path="/b", on_change_of=("file /a",)))


@pytest.mark.parametrize("part", ["file", 7, None])
def test_what_is_no_resource_is_refused(part: object) -> None:
    with pytest.raises(SpecError, match="is no resource"):
        Spec(part)  # type: ignore[arg-type]  # what a spec file may hold


def test_a_circle_is_named() -> None:
    with pytest.raises(SpecError, match="a circle: step a needs step b needs step a"):
        Spec(Step(path="/a", needs=("step b",)), Step(path="/b", needs=("step a",)))
