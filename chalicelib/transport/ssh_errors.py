"""What paramiko and sockets raise, as errors of ours. Each class they have is in the table.

A test walks both libraries and fails when a class is missing here, so that a new version which
brings one is noticed.
"""

import socket

import paramiko
from paramiko import auth_strategy, ber, buffered_pipe, hostkeys, packet, pkey, sftp, ssh_exception

from chalicelib.errors import (
    AuthenticationError,
    BerthError,
    ConnectionLostError,
    HostKeyError,
    HostUnreachableError,
)

__all__ = ["FOREIGN", "TABLE", "translated"]

_Kind = type[AuthenticationError | ConnectionLostError | HostKeyError]

TABLE: dict[type[BaseException], _Kind] = {
    ssh_exception.SSHException: ConnectionLostError,
    ssh_exception.ChannelException: ConnectionLostError,
    ssh_exception.MessageOrderError: ConnectionLostError,
    ssh_exception.ProxyCommandFailure: ConnectionLostError,
    ssh_exception.CouldNotCanonicalize: ConnectionLostError,
    ssh_exception.ConfigParseError: ConnectionLostError,
    ssh_exception.NoValidConnectionsError: ConnectionLostError,
    ssh_exception.AuthenticationException: AuthenticationError,
    ssh_exception.PasswordRequiredException: AuthenticationError,
    ssh_exception.BadAuthenticationType: AuthenticationError,
    ssh_exception.PartialAuthentication: AuthenticationError,
    ssh_exception.UnableToAuthenticate: AuthenticationError,
    # No algorithm in common: a repeat would end the same.
    ssh_exception.IncompatiblePeer: AuthenticationError,
    pkey.UnknownKeyType: AuthenticationError,
    auth_strategy.AuthFailure: AuthenticationError,
    ber.BERException: AuthenticationError,  # of a private key
    ssh_exception.BadHostKeyException: HostKeyError,
    hostkeys.InvalidHostKey: HostKeyError,
    packet.NeedRekeyException: ConnectionLostError,
    buffered_pipe.PipeTimeout: ConnectionLostError,
    sftp.SFTPError: ConnectionLostError,
    socket.gaierror: ConnectionLostError,
    socket.herror: ConnectionLostError,
    TimeoutError: ConnectionLostError,
    EOFError: ConnectionLostError,
    OSError: ConnectionLostError,
}
"""What each class becomes; a subclass that is not here becomes what its nearest base does."""

FOREIGN = (
    paramiko.SSHException,
    pkey.UnknownKeyType,
    ber.BERException,
    hostkeys.InvalidHostKey,
    packet.NeedRekeyException,
    sftp.SFTPError,
    buffered_pipe.PipeTimeout,
    EOFError,
    OSError,
)
"""The roots: to be caught where paramiko is called."""


def translated(error: BaseException, *, host: str, sent: bool) -> BerthError:
    """Return the error of ours for one of `FOREIGN`.

    Args:
        error: what was raised.
        host: the host's name.
        sent: whether a command may have reached the host. If not, it is merely unreachable.
    """
    kind = next(TABLE[base] for base in type(error).__mro__ if base in TABLE)
    reason = str(error) or type(error).__name__
    if kind is AuthenticationError:
        return AuthenticationError(host=host, reason=reason)
    if kind is HostKeyError:
        return HostKeyError(host=host, reason="its key is another", offered="", expected=())
    if sent:
        return ConnectionLostError(host=host, reason=reason, may_have_run=True)
    return HostUnreachableError(host=host, reason=reason)
