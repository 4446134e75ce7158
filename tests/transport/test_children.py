"""Programs that share the caller's terminal and session, and daemons that are its children."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.clock import SteadyClock
from chalicelib.errors import ShellError
from chalicelib.shell import Secret, command, println, script
from chalicelib.transport import run_attached, start_child
from chalicelib.wait import wait_for

_POLL = timedelta(milliseconds=20)
_ROOT = Path(__file__).parents[2]
_PATH = {"PATH": os.environ["PATH"]}
_ATTACHED = """
import sys
from chalicelib.shell import command
from chalicelib.transport import run_attached
try:
    run_attached(command(*sys.argv[2:]), **eval(sys.argv[1]))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
_IN_ORDER = """
trap 'echo cleaning; sleep 1; echo cleaned; exit 3' INT
touch "$0"
while :; do sleep 0.1; done
"""


def _soon(condition: Callable[[], object]) -> object:
    return wait_for(condition, sleep=_POLL, timeout=timedelta(seconds=20), clock=SteadyClock())


def _in_a_terminal(how: str, *words: str, interrupt_at: Path | None = None) -> str:
    """What a Python says on a terminal of its own that runs `words` attached to it."""
    ours, theirs = os.openpty()
    # `setsid` makes its input the terminal that signals come from.
    python = subprocess.Popen(
        ["setsid", "--ctty", "--wait", sys.executable, "-c", _ATTACHED, how, *words],
        env={**_PATH, "PYTHONPATH": str(_ROOT)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    if interrupt_at is not None:
        _soon(interrupt_at.exists)
        os.write(ours, b"\x03")
    said = b""
    # An error is Linux's way to say that nobody holds the other end any more.
    with suppress(OSError):
        while piece := os.read(ours, 4096):
            said += piece
    os.close(ours)
    python.wait()
    return said.decode().replace("\r\n", "\n")


def test_a_program_has_the_terminal() -> None:
    assert _in_a_terminal("{}", "sh", "-c", "test -t 0 && test -t 1 && test -t 2 && echo yes") == (
        "yes\n"
    )


def test_a_program_whose_lines_are_taken_has_no_input_and_no_terminal() -> None:
    said = _in_a_terminal("{'on_line': print}", "sh", "-c", "cat; test -t 1 || echo no >&2")

    assert said == "no\n\n"


@pytest.mark.parametrize("how", ["{}", "{'on_line': lambda line: print(line, end='')}"])
def test_an_interrupt_reaches_the_program_which_ends_in_order_first(
    tmp_path: Path, how: str
) -> None:
    started = tmp_path / "started"
    said = _in_a_terminal(how, "sh", "-c", _IN_ORDER, str(started), interrupt_at=started)

    lines = said.removeprefix("^C").splitlines()
    # Lines that come after the interrupt are no longer passed on; the terminal's own are seen.
    assert lines == (["cleaning", "cleaned", "interrupted"] if how == "{}" else ["interrupted"])


def test_lines_of_both_streams_come_as_they_are_said() -> None:
    lines: list[str] = []

    status = run_attached(
        command("sh", "-c", "echo one; echo two >&2; printf 'three\\377'; exit 4"),
        on_line=lines.append,
    )

    assert (status, lines) == (4, ["one\n", "two\n", "three�"])


def test_a_signal_is_told_as_a_shell_would() -> None:
    assert run_attached(command("sh", "-c", "kill -s KILL $$"), on_line=print) == 128 + 9


def test_what_goes_wrong_with_a_line_is_raised_once_the_program_has_ended(tmp_path: Path) -> None:
    done = tmp_path / "done"
    words = 'echo line; head -c 300000 /dev/zero; sleep 0.2; touch "$0"'

    with pytest.raises(ZeroDivisionError):
        run_attached(command("sh", "-c", words, done), on_line=lambda _: 1 // 0)

    assert done.exists()


def test_a_program_keeps_the_descriptors_that_it_is_given(tmp_path: Path) -> None:
    lines: list[str] = []
    with (tmp_path / "lock").open("w") as lock, (tmp_path / "other").open("w"):
        run_attached(
            command("ls", "-l", "/proc/self/fd"), on_line=lines.append, kept=[lock.fileno()]
        )

    said = "".join(lines)
    assert str(tmp_path / "lock") in said
    assert str(tmp_path / "other") not in said


def test_a_program_starts_in_the_folder_with_the_environment_that_it_is_given(
    tmp_path: Path,
) -> None:
    lines: list[str] = []

    run_attached("pwd", folder=tmp_path, environment={**_PATH, "LANG": "C"}, on_line=lines.append)
    run_attached("env", environment={**_PATH, "ONLY": "this"}, on_line=lines.append)

    assert lines == [f"{tmp_path}\n", f"PATH={_PATH['PATH']}\n", "ONLY=this\n"]


@pytest.mark.parametrize("wrong", [Secret("s3cret"), "x" * 30_000])
def test_what_the_process_list_must_not_show_or_cannot_hold_is_refused(
    wrong: object, tmp_path: Path
) -> None:
    for start in (
        lambda: run_attached(command("echo", wrong)),
        lambda: start_child(command("echo", wrong), output=tmp_path / "out", environment=_PATH),
    ):
        with pytest.raises(ShellError) as refused:
            start()
        assert "s3cret" not in str(refused.value)


def test_a_program_that_is_missing_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run_attached("no-such-program")
    with pytest.raises(FileNotFoundError):
        start_child("no-such-program", output=tmp_path / "out", environment=_PATH)


def test_a_daemon_leads_a_session_of_its_own_and_prints_to_its_file(tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.write_text("before\n")
    printed = script(println("here"), "cat", "pwd", "exec sleep 60")

    child = start_child(printed, output=output, environment=_PATH, folder=Path("/"))
    try:
        _soon(lambda: output.read_text().endswith("/\n"))

        assert output.read_text() == "before\nhere\n/\n"
        assert os.getsid(child.pid) == child.pid != os.getsid(0)
        assert not child.ended()
    finally:
        os.kill(child.pid, signal.SIGKILL)
    assert _soon(child.ended)
    assert child.ended()
    assert not Path(f"/proc/{child.pid}").exists()
