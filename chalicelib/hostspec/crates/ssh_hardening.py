"""An sshd that lets in by keys only."""

from chalicelib.hostspec.resource import Resource
from chalicelib.hostspec.resources import File, Packages, Service

__all__ = ["ssh_hardening"]

_SETTINGS = """\
# Who may come in: holders of keys. After Mozilla's guidelines for OpenSSH,
# https://infosec.mozilla.org/guidelines/openssh
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitEmptyPasswords no
MaxAuthTries 3
LoginGraceTime 30
# What a connection may be used for.
X11Forwarding no
AllowAgentForwarding no
PermitTunnel no
PermitUserEnvironment no
# One that is dead is noticed within three minutes.
ClientAliveInterval 60
ClientAliveCountMax 2
Ciphers aes256-gcm@openssh.com,aes128-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr
MACs hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com
KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org,diffie-hellman-group-exchange-sha256
"""


def ssh_hardening(users: tuple[str, ...] = (), unit: str = "ssh.service") -> tuple[Resource, ...]:
    """Return an sshd without passwords, forwarding and old algorithms.

    The settings are a file of their own, read before the distribution's. Connections that are open
    stay. Put a key on the host before: nobody gets in without one.

    Args:
        users: who alone may log in. Default: everybody who has a key.
        unit: the service; `sshd.service` on Red Hat's systems.
    """
    allowed = f"AllowUsers {' '.join(users)}\n" if users else ""
    settings = File(
        path="/etc/ssh/sshd_config.d/10-berth.conf",
        content=_SETTINGS + allowed,
        mode=0o600,
        needs=("packages openssh-server",),
    )
    server = Packages(names=("openssh-server",))
    # Its reload checks the settings first (ExecReload=sshd -t) and keeps the old ones if they are bad.
    return server, settings, Service(unit=unit, on_change="reload", on_change_of=(settings.name,))
