"""Runs commands on a host over SSH, on one connection that is kept and revived."""

import select
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import paramiko

from chalicelib.clock import SteadyClock
from chalicelib.errors import ConnectionLostError
from chalicelib.shell import command, q, render
from chalicelib.transport.run import Driver, Feeder, Run
from chalicelib.transport.ssh_connection import Connection, SshTarget, connect
from chalicelib.transport.ssh_errors import FOREIGN, translated
from chalicelib.transport.tree import end_tree, marked
from chalicelib.wait import WaitPolicy, did_not_raise

__all__ = ["SshTarget", "SshTransport"]

_READ_BYTES = 256 * 1024
_MAX_SESSIONS = 10
"""What sshd allows on a connection unless told (man sshd_config, MaxSessions)."""
_LISTEN_S = 0.1
_QUIET_S = 0.5
"""How long after a command's end its output may be silent before the rest is a child's."""
_END_S = 30.0
_FREE_SESSION = WaitPolicy(
    name="a free session of the host's sshd",
    sleep=timedelta(milliseconds=50),
    timeout=timedelta(minutes=1),
    catch=paramiko.ChannelException,
    success=did_not_raise,
)
"""Others may have sessions too, and ours are not closed at once."""
_UNKNOWN = -1
"""paramiko's exit status before there is one."""


class SshTransport(Driver):
    """A host that is reached over SSH. Connects when first used, and again when that is lost.

    The user's login shell must be a POSIX one (sh, bash, dash, ash, zsh, ksh): sshd hands it the
    command. At most nine commands run at a time, the others wait: sshd has ten sessions for a
    connection, and one is kept for ending the others.
    """

    def __init__(
        self,
        target: SshTarget,
        *,
        host: str | None = None,
        facts: Iterable[str] = (),
        jump: "SshTransport | None" = None,
        max_sessions: int = _MAX_SESSIONS,
    ) -> None:
        """Remember how to get there; nothing is connected yet.

        Args:
            target: whom to connect to, and as whom.
            host: the name for results and errors. Default: the address.
            facts: what is known of its system, for script functions.
            jump: the host from which this one is reached. Default: from here.
            max_sessions: how many sessions its sshd has for a connection. Default: 10.
        """
        self.host = host or target.address
        self.facts = frozenset(facts)
        self._target = target
        self._jump = jump
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._free = threading.Semaphore(max_sessions - 1)

    def close(self) -> None:
        """Close the connection; commands that run on it are lost. The next run connects again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def perform(self, run: Run) -> int:
        """Run it in a session of the connection, and pass on what it prints until it has ended."""
        with self._slot(run):
            connection, channel = self._session(run)
            with channel:
                try:
                    return self._in_session(run, channel)
                except FOREIGN as error:
                    lost = translated(error, host=self.host, sent=True)
                    raise _told(lost, connection, self._target) from error
                except ConnectionLostError as error:
                    raise _told(error, connection, self._target) from error

    def open_tunnel(self, address: str, port: int, *, timeout_s: float) -> paramiko.Channel:
        """Return a byte stream from this host to another address.

        Raises:
            HostUnreachableError: this host, or from it the other, does not answer; or as `run`.
        """
        try:
            return self._connected().tunnel(address, port, timeout_s=timeout_s)
        except FOREIGN as error:
            raise translated(error, host=self.host, sent=False) from error

    @contextmanager
    def _slot(self, run: Run) -> Iterator[None]:
        while not self._free.acquire(timeout=run.pause_s(1.0)):
            if run.over():
                raise run.ended_early()
        try:
            yield
        finally:
            self._free.release()

    def _session(self, run: Run) -> tuple[Connection, paramiko.Channel]:
        """Return a new session, of a new connection if the old one is dead: nothing was sent yet."""
        for revived in (False, True):
            connection = self._connected()
            try:
                return connection, _new_session(run, connection)
            except FOREIGN as error:
                if revived or isinstance(error, paramiko.ChannelException):
                    raise translated(error, host=self.host, sent=False) from error
                self.close()
        raise AssertionError("the second time returns or raises")

    def _connected(self) -> Connection:
        with self._lock:
            if self._connection is None or not self._connection.active:
                self._connection = connect(self._target, host=self.host, socket_of=self._socket)
            return self._connection

    def _socket(self) -> socket.socket | paramiko.Channel:
        target = self._target
        if self._jump is not None:
            return self._jump.open_tunnel(target.address, target.port, timeout_s=target.connect_s)
        address = (target.address, target.port)
        made = socket.create_connection(address, timeout=target.connect_s)
        # Else each command waits 40 ms, for an acknowledgement that is held back.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def _in_session(self, run: Run, channel: paramiko.Channel) -> int:
        started = command("exec", *run.invocation.arguments)
        channel.exec_command(render(q(marked(run.token), started)))
        feeder = _fed(run, channel)
        try:
            _pump(run, channel, feeder)
            status = _exit_status(run, channel)
        except FOREIGN:
            raise
        except BaseException:
            self._end(run)
            raise
        if status == _UNKNOWN:
            reason = "the connection ended before the command"
            raise ConnectionLostError(host=self.host, reason=reason, may_have_run=True)
        return status

    def _end(self, run: Run) -> None:
        """End all that the run started, in another session; the reserve is for that."""
        connection = self._connection
        if connection is None or not connection.active:
            return
        try:
            with connection.session() as channel:
                channel.settimeout(_END_S)
                script = render(run.call.reached(end_tree(run.token)))
                # The login shell becomes `sh`, which reads the script.
                channel.exec_command(render(command("exec", "/bin/sh", "-c", script)))
                channel.status_event.wait(_END_S)
        except FOREIGN as error:
            reason = f"could not end a command: {error!r}"
            raise ConnectionLostError(host=self.host, reason=reason, may_have_run=True) from error


def _new_session(run: Run, connection: Connection) -> paramiko.Channel:
    def session() -> paramiko.Channel:
        if run.over():
            raise run.ended_early()
        return connection.session()

    return _FREE_SESSION.wait(session, clock=SteadyClock())


def _fed(run: Run, channel: paramiko.Channel) -> Feeder | None:
    if run.invocation.stdin is None:
        channel.shutdown_write()
        return None
    return Feeder(run.invocation.stdin, write=channel.sendall, close=channel.shutdown_write)


def _pump(run: Run, channel: paramiko.Channel, feeder: Feeder | None) -> None:
    """Pass on output until there is no more, or the command has ended and no more comes."""
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    quiet = False
    while True:
        # Asked before reading, so that what came in between is read in the next round.
        closed = channel.eof_received or channel.closed
        ended = channel.exit_status_ready()
        read = _read(run, channel)
        if feeder is not None and feeder.error is not None:
            raise feeder.error
        if run.over() and not ended:
            raise run.ended_early()
        if not read and (closed or (ended and quiet)):
            return
        if not read:
            wait_s = _QUIET_S if ended else run.pause_s(_LISTEN_S) or 0.0
            quiet = not poll.poll(int(wait_s * 1000) + 1) and ended


def _read(run: Run, channel: paramiko.Channel) -> bool:
    read = False
    if channel.recv_ready():
        run.feed("stdout", channel.recv(_READ_BYTES))
        read = True
    if channel.recv_stderr_ready():
        run.feed("stderr", channel.recv_stderr(_READ_BYTES))
        read = True
    return read


def _exit_status(run: Run, channel: paramiko.Channel) -> int:
    """Wait for the end: a command may close its outputs long before it."""
    while not channel.status_event.wait(run.pause_s(1.0)):
        if run.over():
            raise run.ended_early()
    return channel.exit_status


def _told(error: Exception, connection: Connection, target: SshTarget) -> Exception:
    """Return the error with its reason, where we know better."""
    if connection.silent and isinstance(error, ConnectionLostError):
        reason = f"no sign of life for {2 * target.alive_s:g} s"
        return ConnectionLostError(host=error.host, reason=reason, may_have_run=True)
    return error
