"""Files, folders, and what is kept in them, as Hypothesis draws them."""

from hypothesis import strategies as st

from chalicelib.hostspec.resources import (
    Command,
    Directory,
    File,
    IniSetting,
    Line,
    Link,
    TlsCertificate,
)
from chalicelib.shell import Secret, q
from tests.hostspec.anything.choices import (
    ABSENT,
    FOLDERS,
    IN_HOMES,
    OWNERS,
    PLACES,
    ROOT,
    THEIR_GROUPS,
    USERS,
    Made,
    maybe_absent,
)

__all__ = [
    "any_command",
    "any_directory",
    "any_file",
    "any_ini_setting",
    "any_line",
    "any_link",
    "any_tls_certificate",
]

_MODES = st.sampled_from((0o600, 0o644, 0o755, 0o2770))
_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_LINES = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=12)
_WORDS = st.sampled_from(("alpha", "beta"))


def any_directory() -> Made:
    return maybe_absent(
        Directory,
        path=st.sampled_from(FOLDERS),
        mode=_MODES,
        owner=OWNERS,
        group=THEIR_GROUPS,
        with_content=st.just(value=True),
    )


def any_file() -> Made:
    return maybe_absent(
        File,
        path=st.sampled_from((*PLACES, *IN_HOMES)),
        content=st.one_of(_TEXTS, st.binary(max_size=20), _TEXTS.map(Secret)),
        mode=_MODES,
        owner=OWNERS,
        group=THEIR_GROUPS,
    )


def any_link() -> Made:
    """In the place of no file, which would be refused."""
    places = st.sampled_from((f"{ROOT}/link", f"{ROOT}/a/link"))
    return maybe_absent(Link, path=places, target=st.sampled_from(("/etc", "/nowhere", *PLACES)))


def any_line() -> Made:
    return maybe_absent(Line, path=st.just(f"{ROOT}/lines"), text=_LINES)


def any_ini_setting() -> Made:
    return maybe_absent(
        IniSetting, path=st.just(f"{ROOT}/ini"), section=_WORDS, option=_WORDS, value=_WORDS
    )


def any_tls_certificate() -> Made:
    return maybe_absent(
        TlsCertificate,
        path=st.sampled_from((f"{ROOT}/tls.pem", f"{ROOT}/a/tls.pem")),
        key_path=st.just(f"{ROOT}/tls.key"),
        names=st.sampled_from((("example.com",), ("example.com", "192.0.2.1"))),
        owner=OWNERS,
        group=THEIR_GROUPS,
    )


def any_command() -> Made:
    made, theirs = f"{ROOT}/made/ours", f"{ROOT}/made/theirs"
    guards = [
        {"creates": made},
        {"unless": q("test -e {made}", made=made)},
        {"creates": made, "only_if": q("test -d {folder}", folder=FOLDERS[0])},
    ]
    makes = q("touch {made}", made=made)
    ours = st.builds(
        lambda guard, cwd, gone: Command(
            id="ours", run=makes, undo=q("rm {made}", made=made), cwd=cwd, absent=gone, **guard
        ),
        st.sampled_from(guards),
        st.sampled_from(("", *FOLDERS)),
        ABSENT,
    )
    there = q("test -e {made}", made=theirs)
    # One of that name was there before, with another number, and its file may be left.
    anew = [q("rm -f {made}", made=theirs), q("touch {made}", made=theirs)]
    by_user = st.just(Command(id="theirs", run=anew, unless=there, user=USERS[0]))
    return ours | by_user | st.just(Command(id="reload", run="true", only_if="false"))
