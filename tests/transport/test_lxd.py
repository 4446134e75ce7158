"""What is special to commands in a container: LXD's ways, and its absence."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from chalicelib.errors import (
    CommandCancelledError,
    CommandTimeoutError,
    ConnectionLostError,
    HostUnreachableError,
)
from chalicelib.shell import Node, command
from chalicelib.transport import Chunk
from chalicelib.transport.lxd import LxdTarget, LxdTransport
from tests.lxd_site import LxdSite
from tests.transport.lxd_site import lxd_container, sshd_container
from tests.transport.unix_proxy import UnixProxy, unix_proxy

pytestmark = [pytest.mark.lxd, pytest.mark.timeout(600)]

SILENT_S = 0.3


@pytest.fixture(scope="module")
def container(lxd: LxdSite) -> Iterator[LxdTransport]:
    """A running container."""
    with lxd_container(lxd) as transport:
        yield transport


@pytest.fixture
def proxy(lxd: LxdSite, tmp_path: Path) -> Iterator[UnixProxy]:
    """A way to LXD that can be cut."""
    with unix_proxy(tmp_path / "lxd.socket", lxd.facts.socket) as running:
        yield running


@pytest.fixture
def through_proxy(
    lxd: LxdSite, container: LxdTransport, proxy: UnixProxy
) -> Iterator[LxdTransport]:
    """The container by that way."""
    target = LxdTarget(
        container=container.host, lxd=proxy.path, project=lxd.facts.project, alive_s=SILENT_S
    )
    transport = LxdTransport(target)
    yield transport
    transport.close()


def sh(text: str) -> Node:
    """Return a shell that runs a text of the tests."""
    return command("sh", "-c", text)


def running(container: LxdTransport, what: str) -> bool:
    """Whether a process of exactly these arguments runs in the container."""
    return what in container.run("ps -eo args").lines


def test_a_command_is_roots_with_an_environment_of_its_own(container: LxdTransport) -> None:
    found = container.run(sh("id -un; pwd; echo $HOME $LANG $PATH")).lines

    assert found[:2] == ["root", "/root"]
    assert found[2].startswith("/root C.UTF-8 /usr/local/sbin:")


@pytest.mark.parametrize("text", ["exit 143", "kill -TERM $$", "kill -TERM 0"])
def test_a_signal_is_told_as_shells_do_and_nothing_is_printed(
    container: LxdTransport, text: str
) -> None:
    """LXD 5.0.2 itself tells 128 + n too, but the shell around the command says so first."""
    result = container.run(sh(text), check=False)

    assert (result.exit_status, result.stdout, result.stderr) == (143, b"", b"")


def test_a_child_in_the_background_does_not_hold_the_run(container: LxdTransport) -> None:
    """LXD gives no exit status while that child holds the pipes."""
    result = container.run(sh("sleep 31 & echo up; exit 3"), check=False, timeout_s=20)

    assert (result.exit_status, result.stdout) == (3, b"up\n")
    assert running(container, "sleep 31")
    container.run("pkill -x sleep")


def test_what_a_child_prints_after_the_end_is_dropped(container: LxdTransport) -> None:
    result = container.run(sh("yes & echo mine >&2"), timeout_s=20)

    assert result.stderr == b"mine\n"
    assert b"\x1e" not in result.stdout


def test_input_that_nobody_reads_holds_nothing_up(container: LxdTransport) -> None:
    result = container.run("true", stdin=bytes(10 << 20), timeout_s=20)

    assert result.ok


def test_output_goes_on_after_the_input_has_ended(container: LxdTransport) -> None:
    result = container.run(sh("cat; sleep 0.3; echo more"), stdin=b"all\n")

    assert result.lines == ["all", "more"]


def test_large_streams_keep_apart_and_whole(container: LxdTransport) -> None:
    sizes = {"stdout": 0, "stderr": 0}

    def count(chunk: Chunk) -> None:
        sizes[chunk.stream] += len(chunk.data)

    zeros = "head -c 104857600 /dev/zero"
    container.run(sh(f"{zeros} & {zeros} >&2; wait"), on_output=count)

    assert sizes == {"stdout": 100 << 20, "stderr": 100 << 20}


def test_a_slow_reader_slows_the_command(container: LxdTransport) -> None:
    """What is on the way is a few megabytes at the most: in sockets, pipes and LXD."""
    held = threading.Event()
    size = 0

    def slow(chunk: Chunk) -> None:
        nonlocal size
        if not size:
            held.wait(1)
            held.set()
        size += len(chunk.data)

    script = "head -c 50000000 /dev/zero; touch /tmp/written"
    with_reader = threading.Thread(target=lambda: container.run(sh(script), on_output=slow))
    with_reader.start()
    early = container.run("test -e /tmp/written", check=False)
    with_reader.join()

    assert held.is_set()
    assert early.exit_status == 1
    assert size == 50_000_000


def test_a_time_out_ends_the_whole_tree(container: LxdTransport) -> None:
    script = "trap '' TERM; setsid sleep 1001 & sleep 1002; sleep 1003"

    with pytest.raises(CommandTimeoutError):
        container.run(sh(script), timeout_s=0.5)

    assert not any(running(container, f"sleep {number}") for number in (1001, 1002, 1003))


def test_a_cancelled_command_says_what_it_printed(container: LxdTransport) -> None:
    cancel = threading.Event()

    with pytest.raises(CommandCancelledError) as caught:
        container.run(sh("echo up; sleep 1004"), cancel=cancel, on_output=lambda _: cancel.set())

    assert caught.value.stdout == b"up\n"
    assert not running(container, "sleep 1004")


def test_an_error_of_the_reader_ends_the_command(container: LxdTransport) -> None:
    def refuse(_: Chunk) -> None:
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        container.run(sh("echo up; sleep 1005"), on_output=refuse)

    assert not running(container, "sleep 1005")


def test_fifty_commands_at_once(container: LxdTransport) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(
            target=lambda number=number: found.append(container.run(sh(f"echo {number}")).text)
        )
        for number in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(int, found)) == list(range(50))


def test_who_kills_the_shell_around_a_command_loses_the_run(through_proxy: LxdTransport) -> None:
    with pytest.raises(ConnectionLostError, match="shell around"):
        through_proxy.run(sh("kill -9 $PPID; exec sleep 3"))


def test_a_container_that_is_missing_is_unreachable(lxd: LxdSite) -> None:
    target = LxdTarget(container="none", lxd=lxd.facts.socket, project=lxd.facts.project)

    with pytest.raises(HostUnreachableError, match="not found") as caught:
        LxdTransport(target).run("true")

    assert type(caught.value) is HostUnreachableError


def test_an_lxd_that_does_not_listen_is_unreachable(tmp_path: Path) -> None:
    transport = LxdTransport(LxdTarget(container="c1", lxd=str(tmp_path / "none.socket")))

    with pytest.raises(HostUnreachableError) as caught:
        transport.run("true")

    assert caught.value.host == "c1"


def test_a_container_that_stops_in_mid_run_is_lost_then_unreachable(lxd: LxdSite) -> None:
    with lxd_container(lxd) as transport:
        stop = {"action": "stop", "force": True}

        def stop_it(_: Chunk) -> None:
            lxd.api.put("instances", transport.host, "state", body=stop)

        with pytest.raises(ConnectionLostError) as lost:
            transport.run(sh("echo up; sleep 60"), on_output=stop_it)
        with pytest.raises(HostUnreachableError) as unreachable:
            transport.run("true")

    assert lost.value.may_have_run
    assert type(unreachable.value) is HostUnreachableError


def test_a_container_without_a_shell_runs_nothing(lxd: LxdSite) -> None:
    with lxd_container(lxd) as transport:
        transport.run("mv /bin/sh /bin/sh.away")

        with pytest.raises(HostUnreachableError, match="no /bin/sh") as caught:
            transport.run("true")

    assert type(caught.value) is HostUnreachableError


def test_a_connection_that_is_cut_loses_the_run(
    through_proxy: LxdTransport, proxy: UnixProxy
) -> None:
    """Whether the command ends with it is not known: LXD kills the shell around it, and no more."""
    with pytest.raises(ConnectionLostError) as caught:
        through_proxy.run(sh("echo up; exec sleep 5"), on_output=lambda _: proxy.cut())

    assert caught.value.may_have_run


def test_an_lxd_that_falls_silent_loses_the_run(
    through_proxy: LxdTransport, proxy: UnixProxy
) -> None:
    started = time.monotonic()

    with pytest.raises(ConnectionLostError, match="no sign of life"):
        through_proxy.run(sh("echo up; sleep 5"), on_output=lambda _: proxy.fall_silent())

    assert time.monotonic() - started < 5


def test_a_silent_command_is_not_a_silent_lxd(through_proxy: LxdTransport) -> None:
    assert through_proxy.run(sh(f"sleep {SILENT_S * 5}; echo done")).text == "done"


def test_a_closed_transport_connects_again(container: LxdTransport) -> None:
    container.run("true")

    container.close()

    assert container.run("true").ok


def test_a_container_with_sshd_lets_its_key_in(lxd: LxdSite, tmp_path: Path) -> None:
    """With plain paramiko: the site is right whatever our own driver does."""
    with sshd_container(lxd, tmp_path) as site:
        client = paramiko.Transport((site.address, 22))
        client.connect(
            username="root",
            pkey=paramiko.Ed25519Key.from_private_key_file(tmp_path / "root_ed25519"),
        )
        channel = client.open_session()
        channel.exec_command("hostname")
        name = channel.makefile().read().decode().strip()
        offered = client.get_remote_server_key().get_base64()
        client.close()

    assert name == site.inside.host
    assert offered in site.host_keys[0]
