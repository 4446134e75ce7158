"""What is special to SSH: its keys, its connection, and the ways in which it is lost."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from chalicelib.errors import (
    AuthenticationError,
    ConnectionLostError,
    HostKeyError,
    HostUnreachableError,
)
from chalicelib.local.ports import free_port
from chalicelib.shell import Raw, Secret, println, script
from chalicelib.transport import Transport
from chalicelib.transport.ssh import SshTransport
from tests.transport.sshd import Sshd, make_key, running_agent, running_sshd

Connect = Callable[..., SshTransport]


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A server that all tests here share."""
    with running_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def connect(sshd: Sshd) -> Iterator[Connect]:
    """A function from changes of the target to a transport, closed at the end."""
    made: list[SshTransport] = []

    def transport(**changes: object) -> SshTransport:
        made.append(SshTransport(sshd.target(**changes)))
        return made[-1]

    yield transport
    for each in made:
        each.close()


def _server_of(transport: Transport) -> int:
    """The process id of the server's half of the connection: the parent of what it runs."""
    return int(transport.run(println(Raw("$PPID"))).text)


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_keys_of_each_kind_let_in(connect: Connect, sshd: Sshd, kind: str) -> None:
    assert connect(keys=(sshd.key(kind),)).run("echo in").text == "in"


@pytest.mark.parametrize("number", [0, 1])
def test_the_host_may_be_known_by_a_key_of_either_kind(
    connect: Connect, sshd: Sshd, number: int
) -> None:
    """It has both, and would show the other by itself."""
    assert connect(host_keys=(sshd.host_keys[number],)).run("echo in").text == "in"


def test_a_key_with_a_passphrase_needs_it(connect: Connect, sshd: Sshd) -> None:
    path = sshd.folder / "user_locked"
    with (sshd.folder / "authorized").open("a") as authorized:
        authorized.write(make_key(path, "ed25519", passphrase="open sesame"))  # noqa: S106
    key = Secret(path.read_text())

    assert connect(keys=(key,), passphrase=Secret("open sesame")).run("echo in").text == "in"
    with pytest.raises(AuthenticationError, match="needs its passphrase"):
        connect(keys=(key,)).run("true")


def test_the_keys_of_an_agent_are_tried(connect: Connect, sshd: Sshd) -> None:
    with running_agent(sshd.folder / "user_ed25519"):
        assert connect(keys=(), agent=True).run("echo in").text == "in"


def test_an_unknown_key_does_not_let_in(connect: Connect, tmp_path: Path) -> None:
    make_key(tmp_path / "other", "ed25519")
    key = Secret((tmp_path / "other").read_text())

    with pytest.raises(AuthenticationError) as caught:
        connect(keys=(key,)).run("true")

    assert key.reveal().split("\n")[1] not in str(caught.value)


@pytest.mark.parametrize("text", ["no key at all", ""])
def test_what_is_no_key_is_said(connect: Connect, text: str) -> None:
    with pytest.raises(AuthenticationError, match="no Ed25519, ECDSA or RSA key"):
        connect(keys=(Secret(text),)).run("true")


def test_no_key_at_all_is_said(connect: Connect) -> None:
    with pytest.raises(AuthenticationError, match="no key to show"):
        connect(keys=()).run("true")


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_host_with_another_key_is_refused(connect: Connect, tmp_path: Path, kind: str) -> None:
    other = make_key(tmp_path / "other", kind)

    with pytest.raises(HostKeyError) as caught:
        connect(host_keys=(other,)).run("true")

    assert caught.value.offered.startswith("SHA256:")
    assert caught.value.expected[0].startswith("SHA256:")
    assert caught.value.offered not in caught.value.expected


def test_a_host_that_changes_its_key_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    """It was trusted a moment ago; then another machine took its address."""
    with running_sshd(tmp_path) as other:
        door = _Door(sshd.port)
        transport = SshTransport(sshd.target(port=door.port))
        assert transport.run("echo in").text == "in"

        door.leads_to = other.port
        transport.close()
        with pytest.raises(HostKeyError) as caught:
            transport.run("true")
        door.close()

    assert caught.value.offered.startswith("SHA256:")


class _Door:
    """A port that hands connections on, to one server or another."""

    def __init__(self, leads_to: int) -> None:
        self.leads_to = leads_to
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near = self._listening.accept()[0]
                far = socket.create_connection(("127.0.0.1", self.leads_to))
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=_copied, args=(source, target), daemon=True).start()


def _copied(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError), source, target:
        while data := source.recv(65536):
            target.sendall(data)


@pytest.mark.parametrize("lines", [(), ("nonsense",), ("ssh-ed25519 !!!",)])
def test_a_host_must_be_known_by_a_key(connect: Connect, lines: tuple[str, ...]) -> None:
    with pytest.raises(HostKeyError):
        connect(host_keys=lines).run("true")


def test_a_host_without_a_key_of_a_known_kind_is_refused(connect: Connect, sshd: Sshd) -> None:
    line = "ecdsa-sha2-nistp256 " + sshd.host_keys[0].split()[1]

    with pytest.raises(HostKeyError):
        connect(host_keys=(line,)).run("true")


def test_one_connection_serves_many_commands(connect: Connect) -> None:
    transport = connect()

    assert _server_of(transport) == _server_of(transport)


def test_a_dropped_connection_loses_the_command_that_runs(connect: Connect) -> None:
    transport = connect()
    server = _server_of(transport)

    with transport.stream(script(println("begun"), "sleep 300")) as running:
        assert next(running.lines()) == ("stdout", "begun")
        os.kill(server, signal.SIGKILL)
        with pytest.raises(ConnectionLostError) as caught:
            running.result()

    assert caught.value.may_have_run


def test_a_dropped_connection_is_revived_for_the_next_command(connect: Connect) -> None:
    transport = connect()
    server = _server_of(transport)
    os.kill(server, signal.SIGKILL)

    assert _server_of(transport) != server


def test_a_closed_connection_is_made_again(connect: Connect) -> None:
    transport = connect()
    transport.run("true")
    transport.close()

    assert transport.run("echo in").text == "in"


def test_a_server_that_stops_answering_is_noticed(connect: Connect) -> None:
    transport = connect(alive_s=0.5)
    server = _server_of(transport)

    try:
        with transport.stream(script(println("begun"), "sleep 300")) as running:
            assert next(running.lines()) == ("stdout", "begun")
            os.kill(server, signal.SIGSTOP)
            with pytest.raises(ConnectionLostError, match="no sign of life") as caught:
                running.result()
    finally:
        os.kill(server, signal.SIGKILL)

    assert caught.value.may_have_run


def test_a_server_that_never_answers_is_unreachable(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        with pytest.raises(HostUnreachableError) as caught:
            connect(port=port, connect_s=0.5).run("true")

    assert not isinstance(caught.value, ConnectionLostError)


def test_a_server_that_speaks_something_else_is_unreachable(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def answer() -> None:
            connection, _ = other.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n" * 3)
                connection.recv(100)

        speaker = threading.Thread(target=answer)
        speaker.start()
        with pytest.raises(HostUnreachableError):
            connect(port=port, connect_s=2.0).run("true")
        speaker.join()


def test_a_port_without_a_server_is_unreachable(connect: Connect) -> None:
    with pytest.raises(HostUnreachableError, match="refused"):
        connect(port=free_port()).run("true")


def test_a_name_that_means_nothing_is_unreachable(connect: Connect) -> None:
    with pytest.raises(HostUnreachableError):
        connect(address="no-such-host.invalid").run("true")


def test_a_host_is_reached_through_another(sshd: Sshd) -> None:
    jump = SshTransport(sshd.target())
    behind = SshTransport(sshd.target(), host="behind", jump=jump)

    assert behind.run("echo in").text == "in"
    assert behind.run("echo in").host == "behind"
    # What it comes from is the jump host's server, not this process.
    assert behind.run(println(Raw("${SSH_CLIENT%% *}"))).text == "127.0.0.1"
    behind.close()
    jump.close()


def test_a_host_behind_one_that_refuses_it_is_unreachable(sshd: Sshd) -> None:
    jump = SshTransport(sshd.target())
    behind = SshTransport(sshd.target(port=free_port()), jump=jump)

    with pytest.raises(HostUnreachableError):
        behind.run("true")
    jump.close()


def test_a_server_with_fewer_sessions_is_waited_for(tmp_path: Path) -> None:

    with running_sshd(tmp_path, "MaxSessions 3") as server:
        transport = SshTransport(server.target())
        with ThreadPoolExecutor(12) as pool:
            printed = list(pool.map(lambda number: transport.run(println(number)).text, range(12)))
        transport.close()

    assert printed == [str(number) for number in range(12)]
