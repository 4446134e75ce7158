"""What files, arguments, wrappers and conditions must do on every driver of a transport."""

import os
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.clock import SteadyClock
from chalicelib.errors import (
    CommandFailedError,
    CommandTimeoutError,
    FenceLostError,
)
from chalicelib.shell import (
    Raw,
    Secret,
    command,
    exit_,
    print_text,
    println,
    q,
    ref,
    script,
    subshell,
    within,
)
from chalicelib.transport import (
    AsUser,
    Fenced,
    InFolder,
    Sudo,
    WithEnvironment,
    process_running,
    start,
)
from chalicelib.transport.files import put_script
from chalicelib.wait import wait_for
from tests.contract.transports import ALL_BYTES, PLAIN, REAL, Site, alive

pytestmark = pytest.mark.timeout(300)  # the first to use LXD may make the image
_WORD = st.one_of(
    st.text(st.sampled_from(list("-$`'\"*?[]!\\\n~{}()<>|&;#= \t%@é\U0001f600\x7f")), max_size=8),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(["-n", "--", "$(id)", "`id`", "if", "EOF", "", "{{x}}"]),
)

_FOLDER = "/tmp"  # noqa: S108 - the host's
_UID = os.getuid()
"""Names files on hosts: another who ran these tests may have left theirs there."""
_BOTH = pytest.mark.parametrize("wrapper", [Sudo, AsUser])


@pytest.fixture
def root_site(site: Site) -> Site:
    """A host behind each driver, whose root runs the commands: only root becomes somebody else."""
    if site.transport.run("id -un").text != "root":
        pytest.skip("becoming another user takes root: run as root")
    return site


def test_a_file_is_put_and_got(site: Site) -> None:
    transport, path = site.transport, f"{_FOLDER}/it's a file of {_UID}"
    transport.put(ALL_BYTES, path, mode=0o640)

    assert transport.get(path) == ALL_BYTES
    transport.put(b"", path)
    assert transport.get(path) == b""


def test_a_put_file_has_its_mode_and_owner(root_site: Site) -> None:
    path = "/tmp/owned"  # noqa: S108 - the host's

    root_site.transport.put(b"x", path, mode=0o640, owner="nobody")

    asked = q("stat -c {form} {path}", form="%a %U", path=path)
    assert root_site.transport.run(asked).text == "640 nobody"


@pytest.mark.parametrize("path", ["/tmp", "/nowhere/file"])  # noqa: S108 - the host's
def test_a_file_that_cannot_be_written_is_said(site: Site, path: str) -> None:
    with pytest.raises(CommandFailedError) as caught:
        site.transport.put(b"x", path)

    assert path.rpartition("/")[0].encode() in caught.value.stderr


def test_half_a_file_is_never_put_in_place(site: Site) -> None:
    """What is cut off looks like the end of the input."""
    writing = put_script("/tmp/half", size=10, mode=0o644, owner=None)  # noqa: S108 - the host's
    result = site.transport.run(writing, stdin=b"12345", check=False)

    assert not result.ok
    assert site.transport.run("ls -A /tmp").text.count("half") == 0


def test_a_missing_file_is_said(site: Site) -> None:
    with pytest.raises(CommandFailedError, match="nowhere"):
        site.transport.get("/nowhere/file")


@pytest.mark.parametrize("name", ["memory", *REAL])
@settings(max_examples=500, deadline=None)
@given(words=st.lists(_WORD, max_size=3))
def test_arguments_arrive_as_they_were_given(
    words: list[str], name: str, sites: Callable[[str], Site]
) -> None:
    show = command("printf", "%s\\0", "(", *words)
    secret = command("printf", "%s\\0", "(", *map(Secret, words))

    result = sites(name).transport.run(script(show, within("/", subshell(secret))))

    once = "".join(f"{word}\0" for word in ["(", *words]).encode()
    assert result.stdout == once * 2


@pytest.mark.parametrize("name", PLAIN)
@settings(max_examples=500, deadline=None)
@given(words=st.lists(_WORD, max_size=3))
def test_arguments_of_a_plain_program_arrive(
    words: list[str], name: str, sites: Callable[[str], Site]
) -> None:
    """A program without any shell in it takes another way to its host."""
    result = sites(name).transport.run(command("/usr/bin/printf", "%s\\0", "(", *words))

    assert result.stdout == "".join(f"{word}\0" for word in ["(", *words]).encode()


def test_wrappers_hold_on_every_transport(root_site: Site) -> None:
    wrapped = InFolder(
        WithEnvironment(AsUser(root_site.transport, "nobody"), {"A": Secret("b c")}),
        "/tmp",  # noqa: S108 - the host's
    )

    result = wrapped.run(script("id -un", "pwd", println(ref("A")), "cat"), stdin=b"in")

    assert result.lines == ["nobody", "/tmp", "b c", "in"]  # noqa: S108 - as above


@_BOTH
def test_commands_run_as_another_user(root_site: Site, wrapper: type[Sudo | AsUser]) -> None:
    user = wrapper(root_site.transport, "nobody")

    result = user.run(script("id -un", println(Secret("hush")), "cat"), stdin=b"in")

    assert result.lines == ["nobody", "hush", "in"]
    assert user.run("whoami").text == "nobody"
    assert user.run("no-such-program", check=False).exit_status == 127


@_BOTH
def test_a_user_who_is_unknown_is_said(root_site: Site, wrapper: type[Sudo | AsUser]) -> None:
    with pytest.raises(CommandFailedError, match="nobody-here") as caught:
        wrapper(root_site.transport, "nobody-here").run("true")

    assert caught.value.exit_status == 1
    assert b"nobody-here" in caught.value.stderr


def test_users_nest_from_the_outside_in(root_site: Site) -> None:
    """The outer one is who becomes the inner one first: nobody could become nothing else by su."""
    for nested in (
        AsUser(Sudo(root_site.transport, "root"), "nobody"),
        AsUser(AsUser(root_site.transport, "root"), "nobody"),
        Sudo(AsUser(root_site.transport, "root"), "nobody"),
    ):
        assert nested.run(script("id -un", println(Secret("hush")))).lines == ["nobody", "hush"]


@_BOTH
def test_what_another_user_puts_is_theirs(root_site: Site, wrapper: type[Sudo | AsUser]) -> None:
    path = f"{_FOLDER}/of-nobody-by-{wrapper.__name__}"
    user = wrapper(root_site.transport, "nobody")

    user.put(ALL_BYTES, path)

    assert user.get(path) == ALL_BYTES
    assert root_site.owner(path) == "nobody"


@_BOTH
def test_what_runs_as_another_user_is_ended(root_site: Site, wrapper: type[Sudo | AsUser]) -> None:
    user = wrapper(root_site.transport, "nobody")

    with pytest.raises(CommandTimeoutError) as caught:
        user.run(script(println(Raw("$$")), "sleep 507"), timeout_s=1.5)

    assert not alive(root_site.transport, int(caught.value.stdout))


def test_a_lower_fence_runs_nothing(site: Site) -> None:
    folder, stale = f"{_FOLDER}/fences-of-{_UID}", f"{_FOLDER}/stale-of-{_UID}"

    def fenced(number: int) -> Fenced:
        return Fenced(site.transport, key="job", fence=number, folder=folder)

    assert fenced(2).run(print_text("a")).text == "a"
    with pytest.raises(FenceLostError):
        fenced(1).run(command("touch", stale))
    with pytest.raises(FenceLostError):
        fenced(1).run(command("touch", stale), check=False)
    assert fenced(2).run(exit_(75), check=False).exit_status == 75
    assert not site.transport.run(command("ls", stale), check=False).ok


def test_a_process_is_found_by_its_very_name(real_site: Site) -> None:
    """Not by a longer name, not by an argument, and the question does not find itself.

    Not in memory: the question reads the kernel's tables, `/proc`, which are no files there.
    """
    transport, name = real_site.transport, f"berth-a-process-of-{_UID}"
    path = f"{_FOLDER}/{name}"
    transport.run(q("cp /bin/sleep {path}", path=path))
    assert not process_running(transport, name)

    pid = start(transport, path, "300", output="/dev/null")
    try:
        # It is a shell's copy first, and becomes the program after `start` has returned.
        wait_for(lambda: process_running(transport, name), clock=SteadyClock(), tries=10)
        assert not process_running(transport, name[:-1])
        assert not process_running(transport, name[:15])
        assert not process_running(transport, f"{name}s")
        assert not process_running(transport, "300")
    finally:
        transport.run(q("kill -9 {pid}", pid=pid))
    # A signal is sent, not awaited.
    wait_for(lambda: not process_running(transport, name), clock=SteadyClock(), tries=10)
