"""The marks that tell a command's end."""

import itertools
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.transport.lxd_script import MarkedStream, marking

TOKEN = "0123456789abcdef"  # noqa: S105 - it marks, and opens nothing
MARK = f"\x1e{TOKEN}:".encode()


def passed_on(pieces: list[bytes]) -> tuple[bytes, int | None]:
    """Return what of these pieces is output, and the status."""
    stream = MarkedStream(TOKEN)
    found = b"".join(map(stream.take, pieces))
    return found + stream.rest(), stream.status


@given(
    output=st.lists(st.sampled_from([MARK[:1], MARK[:5], MARK[:-1], b"x", b"\n", b"0"])),
    status=st.integers(0, 255),
    cuts=st.sets(st.integers(0, 200)),
)
def test_output_ends_at_the_mark_however_it_is_cut(
    output: list[bytes], status: int, cuts: set[int]
) -> None:
    printed = b"".join(output)
    whole = printed + MARK + str(status).encode() + b"\nof a child"
    edges = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    pieces = [whole[start:end] for start, end in itertools.pairwise(edges)]

    assert passed_on(pieces) == (printed, status)


def test_a_stream_that_ends_without_its_mark_is_passed_on_whole() -> None:
    assert passed_on([b"some", MARK[:7]]) == (b"some" + MARK[:7], None)


def test_a_mark_that_holds_no_status_is_a_failure() -> None:
    assert passed_on([MARK + b"none\n"]) == (b"", 255)


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
@pytest.mark.parametrize(
    ("script", "status"),
    [("printf out; printf err >&2; exit 7", 7), ("kill -9 $$", 137), ("kill -TERM 0", 143)],
)
def test_every_shell_tells_the_end_and_nothing_else(shell: str, script: str, status: int) -> None:
    _, *rest = marking(TOKEN, ("/bin/sh", "-c", script))
    started = ["busybox", "sh", *rest] if shell == "busybox" else [shell, *rest]

    done = subprocess.run(started, capture_output=True, check=False, start_new_session=True)

    printed = (b"out", b"err") if status == 7 else (b"", b"")
    assert passed_on([done.stdout]) == (printed[0], status)
    assert passed_on([done.stderr]) == (printed[1], status)


def test_a_program_that_is_missing_is_told_as_by_a_shell() -> None:
    done = subprocess.run(marking(TOKEN, ("no-such",)), capture_output=True, check=False)

    said, status = passed_on([done.stderr])
    assert status == 127
    assert b"no-such: not found" in said


def test_the_command_has_no_descriptor_of_the_shell_around_it() -> None:
    arguments = marking(TOKEN, ("/bin/sh", "-c", "ls /proc/$$/fd"))

    done = subprocess.run(arguments, capture_output=True, check=False, stdin=subprocess.DEVNULL)

    listed, _ = passed_on([done.stdout])
    assert listed.split() == [b"0", b"1", b"2"]
