"""Waiting for what comes to be on a host."""

import os
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from chalicelib.clock import ManualClock, SteadyClock, SystemClock
from chalicelib.errors import HostUnreachableError, NotReadyError, ShellError
from chalicelib.local.ports import free_port
from chalicelib.shell import q, script
from chalicelib.transport import (
    Call,
    LocalTransport,
    Result,
    Transport,
    boot_id,
    port_open,
    process_running,
    start,
    wait_boot_changed,
    wait_file,
    wait_port,
    wait_process_running,
    wait_reachable,
    wait_systemd_ready,
)
from chalicelib.wait import wait_for
from tests.lxd_site import LxdSite
from tests.transport.lxd_site import lxd_container

_HERE = LocalTransport()


class _Meanwhile(ManualClock):
    """A clock that lets something happen in its second sleep."""

    def __init__(self, happen: Callable[[], object]) -> None:
        super().__init__()
        self._happen = happen
        self.sleeps = 0

    def sleep(self, duration: timedelta) -> None:
        super().sleep(duration)
        self.sleeps += 1
        if self.sleeps == 2:
            self._happen()


class _Away(Transport):
    """This machine, out of reach until it is let in."""

    def __init__(self) -> None:
        self.host, self.facts = "away", frozenset[str]()
        self.reachable = False
        self.boot = b"first\n"

    def execute(self, call: Call) -> Result:
        if not self.reachable:
            raise HostUnreachableError(host=self.host, reason="no route")
        if "boot_id" in call.shown:
            return _result(self.boot)
        return _HERE.execute(call)

    def arrive(self) -> None:
        self.reachable, self.boot = True, b"second\n"


def _result(stdout: bytes) -> Result:
    return Result(
        command="cat", host="away", exit_status=0, stdout=stdout, stderr=b"", elapsed=timedelta(0)
    )


def test_a_host_is_waited_for_through_lost_connections() -> None:
    """The talk's `(wait-for {:catch …} #(ssh …))`: every 10 s."""
    away = _Away()
    clock = _Meanwhile(away.arrive)
    started = clock.now()

    wait_reachable(away, clock=clock)

    assert clock.now() - started == timedelta(seconds=20)


def test_a_host_that_stays_away_is_an_error_after_90_s() -> None:
    clock = ManualClock()
    started = clock.now()

    with pytest.raises(HostUnreachableError):
        wait_reachable(_Away(), clock=clock)

    assert clock.now() - started == timedelta(seconds=90)


def test_a_new_boot_is_waited_for() -> None:
    away = _Away()

    assert wait_boot_changed(away, "first", clock=_Meanwhile(away.arrive)) == "second"


def test_the_same_boot_is_not_a_new_one() -> None:
    with pytest.raises(NotReadyError):
        wait_boot_changed(_HERE, boot_id(_HERE), clock=ManualClock())


def test_a_file_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "it's there"
    clock = _Meanwhile(path.touch)

    wait_file(_HERE, str(path), clock=clock)

    assert clock.sleeps == 2


def test_a_file_that_never_comes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="the file to be there"):
        wait_file(_HERE, str(tmp_path / "never"), clock=ManualClock())


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_port_is_waited_for(family: socket.AddressFamily) -> None:
    with socket.socket(family) as server:
        port = free_port()
        server.bind(("127.0.0.1" if family == socket.AF_INET else "::1", port))
        clock = _Meanwhile(server.listen)

        wait_port(_HERE, port, clock=clock)

        assert clock.sleeps == 2
    assert not port_open(_HERE, port)


def test_a_connection_to_a_port_is_no_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        own = client.getsockname()[1]

        assert not port_open(_HERE, own)
        client.close()


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_what_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(ShellError):
        port_open(_HERE, port)


@pytest.fixture
def program(tmp_path: Path) -> Iterator[str]:
    """A program of a name that nothing else here has; ended afterwards."""
    name = f"berth-t{os.getpid() % 100_000}"
    _HERE.run(q("cp /bin/sleep {path}", path=tmp_path / name))
    yield name
    for folder in Path("/proc").glob("[0-9]*"):
        if folder.joinpath("exe").is_symlink() and str(tmp_path) in _link(folder):
            os.kill(int(folder.name), 9)


def _link(folder: Path) -> str:
    try:
        return str((folder / "exe").readlink())
    except OSError:
        return ""


def test_a_process_is_waited_for(program: str, tmp_path: Path) -> None:
    def begin() -> None:
        """A shell, `setsid` and `env` become the program in turn, after `start` has returned."""
        pid = start(_HERE, tmp_path / program, "300", output=str(tmp_path / "log"))
        name = Path(f"/proc/{pid}/comm")
        wait_for(
            lambda: name.read_text() == f"{program}\n",
            clock=SteadyClock(),
            sleep=timedelta(milliseconds=10),
            timeout=timedelta(seconds=15),
        )

    clock = _Meanwhile(begin)

    wait_process_running(_HERE, program, clock=clock)

    assert clock.sleeps == 2


def test_the_question_for_a_process_finds_neither_itself_nor_its_shell() -> None:
    """`pgrep -f`, which the talk used, finds its shell: the name is among the arguments."""
    name = f"berth-q{os.getpid() % 100_000}"

    found = _HERE.run(script(q("pgrep -f {name}", name=name), "true")).lines

    assert len(found) == 1
    assert not process_running(_HERE, name)


def test_a_script_is_found_by_its_own_name(tmp_path: Path) -> None:
    name = f"berth-a-script-with-a-long-name-{os.getpid()}"
    path = str(tmp_path / name)
    _HERE.put(b"#!/bin/sh\nsleep 300\n", path, mode=0o755)
    pid = start(_HERE, path, output=str(tmp_path / "log"))

    try:
        wait_process_running(_HERE, name, clock=ManualClock())
    finally:
        os.killpg(pid, 9)


@pytest.mark.parametrize("name", ["", "a/b", "a\nb"])
def test_what_is_no_program_is_refused(name: str) -> None:
    with pytest.raises(ShellError):
        process_running(_HERE, name)


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_systemd_is_waited_for_in_a_fresh_container(lxd: LxdSite) -> None:
    with lxd_container(lxd) as inside:
        assert wait_systemd_ready(inside, clock=SystemClock()) in {"running", "degraded"}
