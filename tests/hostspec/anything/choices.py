"""What resources are drawn from: few names, so that a spec finds what another has left."""

from collections.abc import Callable

from hypothesis import strategies as st

from chalicelib.hostspec import Resource
from tests.hostspec.debs import Deb

__all__ = [
    "ABSENT",
    "ANYBODY",
    "DEBS",
    "FOLDERS",
    "GROUPS",
    "HOMES",
    "IN_HOMES",
    "MORE_DEBS",
    "NAMES",
    "OWNERS",
    "PLACES",
    "REPOSITORIES",
    "ROOT",
    "THEIR_GROUPS",
    "UNITS",
    "USERS",
    "Made",
    "maybe_absent",
]

ROOT = "/srv/any"
HOMES = f"{ROOT}/home"
REPOSITORIES = ("/srv/any-debs", "/srv/any-more")
"""What is in the first is always known to apt; the second is added by a `Repository`."""
GROUPS = ("any-one", "any-two")
USERS = ("any-ada", "any-bob")
FOLDERS = (f"{ROOT}/a", f"{ROOT}/a/b", f"{ROOT}/c")
UNITS = ("any-daemon", "any-task")
DEBS = (
    Deb(name="any-hull", version="1.0", files={"/etc/any-hull.conf": "1\n"}),
    Deb(name="any-hull", version="2.0", files={"/etc/any-hull.conf": "2\n"}),
    Deb(name="any-oar", version="1.0"),
)
MORE_DEBS = (Deb(name="any-sail", version="1.0"),)
Made = st.SearchStrategy[Resource]

PLACES = [f"{ROOT}{at}/{name}" for at in ("", "/a", "/a/b") for name in "xy"]
IN_HOMES = [f"{HOMES}/{name}/x" for name in USERS]
ANYBODY = ("root", "daemon", *USERS)
ABSENT = st.sampled_from((False, False, True))
OWNERS = st.sampled_from(ANYBODY)
THEIR_GROUPS = st.sampled_from(("root", "daemon", *GROUPS))
NAMES = st.sampled_from(("any-one", "any-two"))


def maybe_absent(make: Callable[..., Resource], **parts: st.SearchStrategy[object]) -> Made:
    """Return what draws a resource of a kind, a third of them to be removed."""
    return st.builds(make, absent=ABSENT, **parts)
