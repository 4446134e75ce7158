"""Keys of SSH: those that a host is known by, and those that we show it."""

import base64
import binascii
import hashlib
import io
from dataclasses import dataclass

import paramiko

from chalicelib.errors import AuthenticationError, HostKeyError
from chalicelib.shell import Secret

__all__ = ["KnownKey", "keys_of_known_hosts", "known_keys", "private_key", "verify"]

_RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")
_PORT = 22
_KEYS = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A public key that a host is known by."""

    kind: str
    blob: bytes

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The names under which a server may offer it."""
        return _RSA_SIGNATURES if self.kind == "ssh-rsa" else (self.kind,)

    @property
    def fingerprint(self) -> str:
        """`SHA256:…`, as `ssh-keygen -l` prints it."""
        return _fingerprint(self.blob)


def known_keys(lines: tuple[str, ...], *, host: str) -> tuple[KnownKey, ...]:
    """Return the keys of lines as in a `.pub` file: `ssh-ed25519 AAAA… comment`.

    Raises:
        HostKeyError: there is none, or a line is no public key.
    """
    found = []
    for line in lines:
        kind, blob = (*line.split(), "", "")[:2]
        try:
            decoded = base64.b64decode(blob, validate=True)
        except binascii.Error:
            decoded = b""
        if not decoded:
            reason = f"no public key: {line[:60]!r}"
            raise HostKeyError(host=host, reason=reason, offered="", expected=())
        found.append(KnownKey(kind, decoded))
    if not found:
        raise HostKeyError(host=host, reason="known by no key", offered="", expected=())
    return tuple(found)


def keys_of_known_hosts(path: str, *, address: str, port: int = 22) -> tuple[str, ...]:
    """Return the public keys that a file such as `~/.ssh/known_hosts` has for a host, hashed or not.

    None are returned if it has none, or is not there. What is no line of such a file is left out.
    """
    try:
        found = paramiko.HostKeys(path).lookup(address if port == _PORT else f"[{address}]:{port}")
    except OSError:
        return ()
    return tuple(f"{kind} {key.get_base64()}" for kind, key in (found or {}).items())


def verify(offered: paramiko.PKey, known: tuple[KnownKey, ...], *, host: str) -> None:
    """Return if the host's key is one of those.

    Raises:
        HostKeyError: it is not.
    """
    blob = offered.asbytes()
    if blob not in [key.blob for key in known]:
        raise HostKeyError(
            host=host,
            reason="its key is another",
            offered=_fingerprint(blob),
            expected=tuple(key.fingerprint for key in known),
        )


def private_key(text: Secret, passphrase: Secret | None, *, host: str) -> paramiko.PKey:
    """Return the key of a text in OpenSSH's or PEM form: Ed25519, ECDSA or RSA.

    Raises:
        AuthenticationError: it is none, or the passphrase is missing or wrong. Never tells the key.
    """
    reason = "the private key is no Ed25519, ECDSA or RSA key that can be read"
    for kind in _KEYS:
        password = None if passphrase is None else passphrase.reveal()
        try:
            return kind.from_private_key(io.StringIO(text.reveal()), password)
        except paramiko.PasswordRequiredException:
            reason = "the private key needs its passphrase"
        except (paramiko.SSHException, ValueError, TypeError, IndexError):
            continue
    # Without a cause: what a parser says may quote what it parses.
    raise AuthenticationError(host=host, reason=reason) from None


def _fingerprint(blob: bytes) -> str:
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"
