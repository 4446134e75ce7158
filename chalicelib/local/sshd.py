"""A real sshd on loopback, with keys of its own, that lets this user in by one key.

For tests and measurements: it believes whoever holds the key, and is gone with its block.
"""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from chalicelib.local import processes
from chalicelib.local.packages import find_program
from chalicelib.local.ports import free_port
from chalicelib.shell import Secret, command
from chalicelib.transport import LocalTransport
from chalicelib.transport.ssh import SshTarget

__all__ = ["Sshd", "make_key", "running_agent", "running_sshd"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sshd:
    """A running server.

    Attributes:
        folder: holds its keys (`host_ed25519`, `host_rsa`, and the user's `user_ed25519` …).
        port: where it listens on 127.0.0.1.
        name: of its process, as `processes` knows it.
    """

    folder: Path
    port: int
    name: str = "sshd"

    @property
    def host_keys(self) -> tuple[str, ...]:
        """The public keys that it is known by."""
        return tuple(
            (self.folder / f"host_{kind}.pub").read_text().strip() for kind in ("ed25519", "rsa")
        )

    @property
    def user(self) -> str:
        """Whom it lets in: who runs this."""
        return pwd.getpwuid(os.getuid()).pw_name

    def key(self, kind: str = "ed25519") -> Secret:
        """A private key that it lets in."""
        return Secret((self.folder / f"user_{kind}").read_text())

    def target(self, **changes: object) -> SshTarget:
        """How to get there."""
        wanted: dict[str, object] = {
            "address": "127.0.0.1",
            "port": self.port,
            "user": self.user,
            "host_keys": self.host_keys,
            "keys": (self.key(),),
        }
        return SshTarget(**{**wanted, **changes})  # type: ignore[arg-type]


def make_key(path: Path, kind: str, *, passphrase: str = "") -> str:
    """Make a key pair, its private half at `path`, and return the public one."""
    options = ["-b", "2048"] if kind == "rsa" else []
    named = ["-C", "test", "-f", path.absolute()]
    LocalTransport().run(command("ssh-keygen", "-q", "-t", kind, options, "-N", passphrase, named))
    return path.with_name(f"{path.name}.pub").read_text()


@contextmanager
def running_sshd(folder: Path, *settings: str) -> Iterator[Sshd]:
    """Run it until the end of the block. `settings` are lines of its configuration."""
    for kind in ("ed25519", "rsa"):
        if not (folder / f"host_{kind}").exists():
            make_key(folder / f"host_{kind}", kind)
            with (folder / "authorized").open("a") as authorized:
                authorized.write(make_key(folder / f"user_{kind}", kind))
    server = Sshd(folder=folder, port=free_port())
    (folder / "config").write_text("\n".join([*_lines(server), *settings, ""]))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # Debian's separates privileges there
    log = folder / "sshd.log"
    started = processes.start(
        [
            str(find_program("sshd")),
            "-D",
            "-e",
            "-f",
            str(folder / "config"),
        ],
        name=server.name,
        folder=folder,
        log=log,
        environment={"PATH": os.defpath},
    )
    try:
        processes.wait_ready(
            started, lambda: bool(processes.holder_of_port(server.port)), log=log, limit_s=10
        )
        yield server
    finally:
        processes.stop(server.name, folder)


@contextmanager
def running_agent(*keys: Path) -> Iterator[None]:
    """Run an SSH agent that holds these private keys, this process's own until the end of the block.

    A socket's path holds 107 bytes at most, hence a folder of its own.
    """
    with TemporaryDirectory() as folder:
        socket, log = Path(folder) / "agent", Path(folder) / "log"
        started = processes.start(
            [str(find_program("ssh-agent")), "-D", "-a", str(socket)],
            name="ssh-agent",
            folder=Path(folder),
            log=log,
            environment={"PATH": os.defpath},
        )
        variables = {"PATH": os.defpath, "SSH_AUTH_SOCK": str(socket)}
        before = os.environ.get("SSH_AUTH_SOCK")
        try:
            processes.wait_ready(started, socket.exists, log=log, limit_s=10)
            LocalTransport(environment=variables).run(command("ssh-add", "-q", keys))
            _set_agent(str(socket))
            yield
        finally:
            _set_agent(before)
            processes.stop("ssh-agent", Path(folder))


def _set_agent(socket: str | None) -> None:
    if socket is None:
        os.environ.pop("SSH_AUTH_SOCK", None)
    else:
        os.environ["SSH_AUTH_SOCK"] = socket


def _lines(server: Sshd) -> list[str]:
    return [
        f"Port {server.port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {server.folder}/host_ed25519",
        f"HostKey {server.folder}/host_rsa",
        f"AuthorizedKeysFile {server.folder}/authorized",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "StrictModes no",
        "PermitRootLogin prohibit-password",
        "UsePAM no",
        "PidFile none",
        "MaxStartups 100",
        # Else bash, started by sshd, reads the .bashrc of whoever runs this.
        "SetEnv SHLVL=2",
    ]
