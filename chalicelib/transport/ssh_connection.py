"""One SSH connection: made, verified, authenticated, and watched as long as it lasts."""

import signal
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

import paramiko
from paramiko.common import MSG_CHANNEL_REQUEST
from paramiko.ssh_exception import IncompatiblePeer

from chalicelib.errors import AuthenticationError, BerthError, HostKeyError
from chalicelib.shell import Secret
from chalicelib.transport.ssh_errors import FOREIGN, translated
from chalicelib.transport.ssh_keys import known_keys, private_key, verify

__all__ = ["Connection", "SshTarget", "connect"]

_WINDOW_BYTES = 4 * 1024 * 1024
_SIGNALLED = 128
_ALIVE = "keepalive@openssh.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class SshTarget:
    """Whom to connect to, and as whom.

    Attributes:
        address: a name or an IP address.
        port: default 22.
        user: the login on the host.
        host_keys: the public keys that the host is known by, as in `.pub` files; one at least. A
            host that shows another is refused: there is no way to accept any.
        keys: private keys in OpenSSH's or PEM form, tried in turn.
        passphrase: of those keys that have one.
        agent: whether the keys of a running SSH agent are tried after those. Default: False.
        connect_s: limit for each step of connecting, in seconds. Default: 10.
        alive_s: how long the host may be silent before it is asked for a sign of life, and then how
            long it may take to give one, in seconds; else the connection is lost. Default: 15.
    """

    address: str
    user: str
    host_keys: tuple[str, ...]
    port: int = 22
    keys: tuple[Secret, ...] = field(default=(), repr=False)
    passphrase: Secret | None = field(default=None, repr=False)
    agent: bool = False
    connect_s: float = 10.0
    alive_s: float = 15.0


class _Client(paramiko.Transport):
    """paramiko's transport, which knows of exit signals too."""

    def _channel_request(self: Any, message: paramiko.Message) -> None:
        # Called with a channel as `self`, as all in this table. paramiko 5.1 knows `exit-status` only
        # (RFC 4254, section 6.10) and leaves the status at -1 when a signal ended the command.
        start = message.get_so_far()
        if message.get_text() == "exit-signal":
            message.get_boolean()
            self.exit_status = _status_of(message.get_text())
            self.status_event.set()
            return
        message.packet.seek(len(start))
        self._handle_request(message)

    _channel_handler_table: ClassVar[dict[int, Any]] = {
        **paramiko.Transport._channel_handler_table,  # type: ignore[attr-defined]  # noqa: SLF001
        MSG_CHANNEL_REQUEST: _channel_request,
    }


def _status_of(name: str) -> int:
    """The status of a command that a signal ended, as shells count: 128 + its number."""
    return _SIGNALLED + getattr(signal, f"SIG{name}", 0)


class Connection:
    """A connection that is up until it is not: `active` says so."""

    def __init__(self, client: paramiko.Transport, target: SshTarget) -> None:
        """Take over an authenticated client, and begin to watch it."""
        self._client = client
        self._target = target
        self._closed = threading.Event()
        self._opening = threading.Lock()
        self.silent = False
        threading.Thread(target=self._watch, name="transport-ssh-alive", daemon=True).start()

    @property
    def active(self) -> bool:
        """Whether it can be used."""
        return bool(self._client.is_active())

    def session(self) -> paramiko.Channel:
        """Return a new session. Raises what `FOREIGN` lists."""
        # One at a time: paramiko keeps one error for all, and hands it to whoever asks first.
        with self._opening:
            return self._client.open_session(
                window_size=_WINDOW_BYTES, timeout=self._target.connect_s
            )

    def tunnel(self, address: str, port: int, *, timeout_s: float) -> paramiko.Channel:
        """Return a byte stream to another address, seen from the host. Raises as `session`."""
        with self._opening:
            return self._client.open_channel(
                "direct-tcpip", (address, port), ("127.0.0.1", 0), timeout=timeout_s
            )

    def close(self) -> None:
        """End it, and every session in it. Safe to repeat."""
        self._closed.set()
        self._client.close()

    def _watch(self) -> None:
        """Close the connection once the host gives no sign of life.

        TCP would notice after a quarter of an hour at the soonest
        (https://man7.org/linux/man-pages/man7/tcp.7.html, tcp_retries2).
        """
        while not self._closed.wait(self._target.alive_s) and self.active:
            late = threading.Timer(self._target.alive_s, self._give_up)
            late.daemon = True
            late.start()
            with suppress(*FOREIGN):
                self._client.global_request(_ALIVE)
            late.cancel()

    def _give_up(self) -> None:
        self.silent = True
        self.close()


def connect(
    target: SshTarget, *, host: str, socket_of: Callable[[], socket.socket | paramiko.Channel]
) -> Connection:
    """Return a new connection.

    Raises:
        HostUnreachableError: nobody answers, or not in SSH.
        HostKeyError: the host is not the one that was expected. Nothing was told to it.
        AuthenticationError: it accepts none of our keys.
    """
    known = known_keys(target.host_keys, host=host)
    client: paramiko.Transport | None = None
    try:
        client = _Client(socket_of())
        offered = _negotiated(client, [name for key in known for name in key.algorithms], target)
        verify(offered, known, host=host)
        _authenticate(client, target, host)
    except IncompatiblePeer as error:
        _close(client)
        expected = tuple(key.fingerprint for key in known)
        raise HostKeyError(host=host, reason=str(error), offered="", expected=expected) from error
    except FOREIGN as error:
        _close(client)
        raise translated(error, host=host, sent=False) from error
    except BerthError:
        _close(client)
        raise
    return Connection(client, target)


def _negotiated(
    client: paramiko.Transport, algorithms: Iterable[str], target: SshTarget
) -> paramiko.PKey:
    """Agree on a cipher and return the host's key, of a kind that we know one of."""
    options = client.get_security_options()
    options.key_types = tuple(name for name in options.key_types if name in set(algorithms))
    client.banner_timeout = client.auth_timeout = target.connect_s
    client.start_client(timeout=target.connect_s)
    if not client.initial_kex_done:  # it returns without an error when its time is up
        raise TimeoutError("the host does not answer in SSH")
    return client.get_remote_server_key()


def _authenticate(client: paramiko.Transport, target: SshTarget, host: str) -> None:
    keys = [private_key(key, target.passphrase, host=host) for key in target.keys]
    agent = paramiko.Agent() if target.agent else None
    try:
        _show(client, target, host, [*keys, *(agent.get_keys() if agent else ())])
    finally:
        if agent is not None:
            agent.close()


def _show(
    client: paramiko.Transport, target: SshTarget, host: str, keys: list[paramiko.PKey]
) -> None:
    reason = "we have no key to show"
    for key in keys:
        try:
            client.auth_publickey(target.user, key)
        except paramiko.AuthenticationException as error:
            reason = f"{target.user} with {len(keys)} keys: {error}"
            if not client.is_active():
                break
        else:
            return
    raise AuthenticationError(host=host, reason=reason)


def _close(client: paramiko.Transport | None) -> None:
    if client is not None:
        client.close()
