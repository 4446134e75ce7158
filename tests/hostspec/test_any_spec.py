"""Any spec, from whatever state the one before has left: one apply gets there, a second does nothing."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from chalicelib.errors import SpecError
from chalicelib.hostspec import Resource, Spec, apply, audit
from chalicelib.hostspec.resources import (
    Directory,
    File,
    Group,
    IniSetting,
    Limit,
    Line,
    Link,
    User,
)
from chalicelib.hostspec.text import report_text
from chalicelib.transport import Transport

ROOT = "/srv/any"
GROUPS = ("any-one", "any-two")
USERS = ("any-ada", "any-bob")

_MODES = st.sampled_from((0o600, 0o644, 0o755, 0o2770))
_OWNERS = st.sampled_from(("root", "daemon", *USERS))
FOLDERS = (f"{ROOT}/a", f"{ROOT}/a/b", f"{ROOT}/c")
_FOLDERS = st.sampled_from(FOLDERS)
_PLACES = st.sampled_from([f"{ROOT}{at}/{name}" for at in ("", "/a", "/a/b") for name in "xy"])
_LINKS = st.sampled_from((f"{ROOT}/link", f"{ROOT}/a/link"))  # in the place of no file: refused
_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_LINES = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=12)
_WORDS = st.sampled_from(("alpha", "beta"))


def _maybe_absent(
    make: Callable[..., Resource], **parts: st.SearchStrategy[object]
) -> st.SearchStrategy[Resource]:
    return st.builds(make, absent=st.booleans(), **parts)


_RESOURCES = st.one_of(
    _maybe_absent(
        Directory, path=_FOLDERS, mode=_MODES, owner=_OWNERS, with_content=st.just(value=True)
    ),
    _maybe_absent(
        File,
        path=_PLACES,
        content=st.one_of(_TEXTS, st.binary(max_size=20)),
        mode=_MODES,
        owner=_OWNERS,
    ),
    _maybe_absent(Link, path=_LINKS, target=st.sampled_from(("/etc", "/nowhere"))),
    _maybe_absent(Line, path=st.just(f"{ROOT}/lines"), text=_LINES),
    _maybe_absent(
        IniSetting, path=st.just(f"{ROOT}/ini"), section=_WORDS, option=_WORDS, value=_WORDS
    ),
    _maybe_absent(Group, group=st.sampled_from(GROUPS)),
    _maybe_absent(
        User,
        user=st.sampled_from(USERS),
        groups=st.sampled_from(((), GROUPS[:1], GROUPS)),
        home=st.just(ROOT),
    ),
    _maybe_absent(
        Limit,
        domain=st.sampled_from(("*", "root")),
        item=st.just("nofile"),
        soft=st.integers(1, 9999),
    ),
)


def _spec(resources: list[Resource]) -> Spec:
    """Return the spec, with the folders, users and groups that it speaks of and does not have.

    There may be none: a file in a folder that is to be removed is refused.
    """
    named = {each.name for each in resources}
    people: list[Resource] = [
        *(Group(group=name) for name in GROUPS),
        *(User(user=name, home=ROOT) for name in USERS),
    ]
    gone = {each.name for each in resources if each.absent}
    within_gone = f"directory {FOLDERS[0]}" in gone
    people += [
        Directory(path=path, absent=within_gone and path == FOLDERS[1], with_content=True)
        for path in FOLDERS
    ]
    missing = [each for each in people if each.name not in named]
    try:
        return Spec(Directory(path=ROOT, mode=0o1777), *missing, *resources)
    except SpecError:
        assume(condition=False)
        raise


@pytest.mark.lxd
@pytest.mark.timeout(300)
@given(st.lists(_RESOURCES, max_size=8).map(_spec))
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
def test_one_apply_gets_there(machine: Transport, spec: Spec) -> None:
    report = apply(spec, machine)
    assert report.ok, report_text(report)

    left = audit(spec, machine)
    assert left.empty, [(each.resource, each.differences) for each in left.work]
