"""Running commands on this machine: what they are started with, and that nothing of them is left."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.errors import CommandCancelledError, CommandTimeoutError, HostUnreachableError
from chalicelib.shell import command, println, q, script
from chalicelib.transport import LocalTransport

_HERE = LocalTransport()
_ROOT = Path(__file__).parents[2]
_PRELUDE = """
import os, sys
from chalicelib.shell import command
from chalicelib.transport import LocalTransport
here = LocalTransport()
"""


def _fresh(code: str, redirections: str) -> list[str]:
    """What a Python that is started with these redirections says on its standard error."""
    python = command(sys.executable, "-c", _PRELUDE + code)
    shell = command("/bin/sh", "-c", f'exec "$@" {redirections}', "sh", *python.words)
    done = LocalTransport(environment={"PYTHONPATH": str(_ROOT)}).run(shell)
    return done.stderr.decode().split()


def _program(path: Path, text: str, *, mode: int = 0o755) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def _children() -> str:
    """This thread's, zombies too."""
    return Path("/proc/thread-self/children").read_text()


def _broken() -> Iterator[bytes]:
    yield b"begun"
    raise LookupError


def _refuse(_: object) -> None:
    raise LookupError


def test_no_zombie_is_left_by_any_end() -> None:
    before, endless, cancelled = _children(), script(println("x"), "sleep 508"), threading.Event()
    cancelled.set()

    _HERE.run(command("no-such-program"), check=False)
    with pytest.raises(LookupError):
        _HERE.run(endless, on_output=_refuse)
    with pytest.raises(LookupError):
        _HERE.run("cat", stdin=_broken())
    with pytest.raises(CommandTimeoutError):
        _HERE.run(endless, timeout_s=0.1)
    with pytest.raises(CommandCancelledError):
        _HERE.run(endless, cancel=cancelled)

    assert _children() == before


def test_no_descriptor_is_left_open() -> None:
    code = """
before = len(os.listdir("/proc/self/fd"))
here.run("ls -d /")
here.run(command("no-such-program"), check=False)
try:
    LocalTransport(environment={"A": "x" * 1_000_000}).run("ls")
except Exception as error:
    print(type(error).__name__, len(os.listdir("/proc/self/fd")) - before, file=sys.stderr)
"""
    assert _fresh(code, "") == ["HostUnreachableError", "0"]


def test_no_descriptor_of_this_process_is_seen(tmp_path: Path) -> None:
    with _program(tmp_path / "open", "").open():
        assert _HERE.run("ls /proc/self/fd").lines == ["0", "1", "2", "3"]


def test_what_this_process_was_started_with_is_not_seen() -> None:
    """A shell or a `make` leaves such descriptors to its programs; Python leaves them open."""
    code = 'print(here.run("ls /proc/self/fd").text, os.path.exists("/dev/fd/9"), file=sys.stderr)'

    assert _fresh(code, "9</etc/passwd") == ["0", "1", "2", "3", "True"]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-"])
def test_pipes_keep_apart_in_a_process_without_standard_streams(closed: str) -> None:
    code = """
done = here.run(command("sh", "-c", "cat; echo err >&2"), stdin=b"out ")
print(done.stdout.decode(), done.stderr.decode(), file=sys.stderr)
"""
    assert _fresh(code, closed) == ["out", "err"]


def test_an_ignored_signal_is_not_ignored_by_programs() -> None:
    """Python ignores SIGPIPE and SIGXFSZ, 13 and 25."""
    status = _HERE.run(q("grep SigIgn {path}", path="/proc/self/status")).text

    assert not int(status.split()[1], 16) & (1 << 12 | 1 << 24)


def test_a_program_is_found_by_the_path_of_its_own_environment(tmp_path: Path) -> None:
    folder = _program(tmp_path / "bin/berth-own", "#!/bin/sh\necho found\n").parent
    host = LocalTransport(environment={"PATH": f"/nowhere:{folder}"})

    assert host.run(command("berth-own")).text == "found"
    assert _HERE.run(command("berth-own"), check=False).exit_status == 127


def test_a_program_is_found_without_a_path() -> None:
    assert LocalTransport(environment={}).run("ls -d /").text == "/"


@pytest.mark.parametrize(
    ("text", "mode", "status"),
    [
        ("echo no interpreter is named", 0o755, 0),
        ("#!/nowhere/sh\n", 0o755, 127),
        ("#!/bin/sh\n", 0o644, 126),
    ],
)
def test_what_cannot_be_started_has_the_status_of_a_shell(
    text: str, mode: int, status: int, tmp_path: Path
) -> None:
    program = _program(tmp_path / "program", text, mode=mode)

    result = _HERE.run(command(program), check=False)

    assert result.exit_status == status
    assert result.ok or str(program).encode() in result.stderr


def test_what_no_shell_can_start_either_is_an_error() -> None:
    host = LocalTransport(environment={"A": "x" * 1_000_000})

    with pytest.raises(HostUnreachableError, match="cannot start a command"):
        host.run("ls")
