"""Which host a command means: the arguments that `berth host` takes for it, and the way there."""

import argparse
import getpass
import os
import re
from collections.abc import Callable
from pathlib import Path

from chalicelib.errors import NotFoundError, TransportSettingError
from chalicelib.shell import Secret
from chalicelib.transport import LocalTransport, Sudo, Transport

__all__ = ["add_host_arguments", "find_host", "who"]

_SSH = re.compile(
    r"(?:ssh://)?(?:(?P<user>[A-Za-z0-9_][^@:/\s]*)@)?"
    r"(?P<address>[A-Za-z0-9][^@/:\[\]\s]*|\[[0-9A-Fa-f:]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_IDENTITIES = ("id_ed25519", "id_ecdsa", "id_rsa")


def add_host_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which host."""
    parser.add_argument(
        "--host",
        required=True,
        metavar="HOST",
        help="user@address[:port] by SSH, lxd:CONTAINER, lxd:PROJECT/CONTAINER, ssm:INSTANCE, local",
    )
    parser.add_argument("--sudo", action="store_true", help="become root by sudo, without password")
    parser.add_argument(
        "--identity",
        metavar="FILE",
        help="private key for SSH; default: those of ~/.ssh, and an agent's",
    )
    parser.add_argument(
        "--known-hosts",
        metavar="FILE",
        default="~/.ssh/known_hosts",
        help="the keys that hosts are known by; an unknown host is refused",
    )


def find_host(asked: argparse.Namespace) -> Transport:
    """Return the way to the host that was asked for. Nothing is connected yet.

    Raises:
        NotFoundError: there is no such kind of host.
        TransportSettingError: no key is known of it; says the cure.
    """
    name: str = asked.host
    kind, _, rest = name.partition(":") if name.startswith(tuple(_KINDS)) else ("", "", "")
    found = _KINDS[f"{kind}:"](rest) if rest else _local_or_ssh(name, asked)
    return Sudo(found) if asked.sudo else found


def who() -> str:
    """Return who applies, for those who find a host busy."""
    return f"{getpass.getuser()}@{os.uname().nodename}"


def _local_or_ssh(name: str, asked: argparse.Namespace) -> Transport:
    if name == "local":
        return LocalTransport()
    match = _SSH.fullmatch(name)
    if match is None:
        kinds = "user@address[:port], lxd:CONTAINER, ssm:INSTANCE or local"
        raise NotFoundError(reason=f"--host {name!r} is none of {kinds}")
    from chalicelib.transport.ssh import SshTarget, SshTransport
    from chalicelib.transport.ssh_keys import keys_of_known_hosts

    address, port = match["address"].strip("[]"), int(match["port"] or 22)
    file = Path(asked.known_hosts).expanduser()
    known = keys_of_known_hosts(str(file), address=address, port=port)
    if not known:
        at = f"-p {port} {address}" if port != 22 else address  # noqa: PLR2004 - ssh's own
        cure = f"add what ssh-keyscan {at} prints, compared with the host's own keys"
        raise TransportSettingError(host=address, reason=f"{file} has no key of it; {cure}")
    target = SshTarget(
        address=address,
        port=port,
        user=match["user"] or getpass.getuser(),
        host_keys=known,
        keys=_identities(asked.identity),
        agent=True,
    )
    return SshTransport(target)


def _identities(named: str | None) -> tuple[Secret, ...]:
    if named is not None:
        files = [Path(named).expanduser()]
        if not files[0].is_file():
            raise NotFoundError(reason=f"--identity {named}: there is no such file")
    else:
        folder = Path("~/.ssh").expanduser()
        files = [folder / name for name in _IDENTITIES if os.access(folder / name, os.R_OK)]
    return tuple(Secret(file.read_text(errors="replace")) for file in files)


def _lxd(name: str) -> Transport:
    from chalicelib.local import lxd_daemon
    from chalicelib.transport.lxd import LxdTarget, LxdTransport

    socket = lxd_daemon.find_socket()
    if socket is None:
        raise NotFoundError(reason="no LXD answers on this machine; ./berth up starts one")
    project, _, container = name.rpartition("/")
    return LxdTransport(
        LxdTarget(container=container, lxd=str(socket), project=project or "default")
    )


def _ssm(instance: str) -> Transport:
    from chalicelib.transport.ssm import SsmTransport

    return SsmTransport(instance)


_KINDS: dict[str, Callable[[str], Transport]] = {"lxd:": _lxd, "ssm:": _ssm}
