"""A machine to try things on: a container of the local LXD, with systemd, and an sshd if wanted.

It is made as a host makes containers for jobs, and removed at the end of the block.
"""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chalicelib.fleet.containers import Containers
from chalicelib.fleet.lxd_api import LxdApi
from chalicelib.fleet.protocol import AttemptPlan, ContainerLimits
from chalicelib.local.lxd import LxdFacts
from chalicelib.local.sshd import make_key
from chalicelib.model import container_name
from chalicelib.shell import Secret, env, q, q_chain
from chalicelib.transport.lxd import LxdTarget, LxdTransport
from chalicelib.transport.ssh import SshTarget

__all__ = ["SshMachine", "running_container", "running_machine"]

_HOST = "this machine"
_JOB = "machine"
_LIMITS = ContainerLimits(cpus=2, memory_mib=1024, disk_gib=2, processes=1000)
_INSTALL = (
    q("apt-get -q update"),
    env("apt-get -qy install openssh-server", DEBIAN_FRONTEND="noninteractive"),
)
_fences = itertools.count(os.getpid() * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class SshMachine:
    """A container with a real sshd that is reached from here, and lets root in by one key.

    Attributes:
        inside: runs commands in the container without its sshd.
        address: the container's.
        host_keys: the public keys that its sshd is known by.
        identity: file of root's private key, Ed25519.
    """

    inside: LxdTransport
    address: str
    host_keys: tuple[str, ...]
    identity: Path

    def target(self, **changes: object) -> SshTarget:
        """How to get there."""
        wanted: dict[str, object] = {
            "address": self.address,
            "user": "root",
            "host_keys": self.host_keys,
            "keys": (Secret(self.identity.read_text()),),
        }
        return SshTarget(**{**wanted, **changes})  # type: ignore[arg-type]


@contextmanager
def running_container(facts: LxdFacts, **changes: object) -> Iterator[LxdTransport]:
    """Make and start a container, and remove it at the end of the block.

    Args:
        facts: of an LXD that is ready for jobs (`lxd.prepare`).
        changes: fields of the transport's target that are to be different.
    """
    api = LxdApi(facts.socket, host=_HOST, project=facts.project)
    containers = Containers(api, host=_HOST, project=facts.project)
    fence = next(_fences)
    name = container_name(_JOB, fence)
    plan = AttemptPlan(
        job=_JOB, fence=fence, image="base", limits=_LIMITS, ticket="none", supervisor={}
    )
    wanted = {"container": name, "lxd": facts.socket, "project": facts.project}
    try:
        containers.make(plan)
        inside = LxdTransport(LxdTarget(**{**wanted, **changes}))  # type: ignore[arg-type]
        try:
            yield inside
        finally:
            inside.close()
    finally:
        containers.remove(name)


@contextmanager
def running_machine(facts: LxdFacts, folder: Path) -> Iterator[SshMachine]:
    """Make a container, install Debian's sshd in it and start that; remove it at the end.

    Takes five seconds, and needs the package archive.

    Args:
        facts: of an LXD that is ready for jobs (`lxd.prepare`).
        folder: an empty one for the key.
    """
    with running_container(facts) as inside:
        public = make_key(folder / "root_ed25519", "ed25519")
        inside.run(q_chain(*_INSTALL), timeout_s=120)
        inside.run("mkdir -p /root/.ssh")
        inside.put(public.encode(), "/root/.ssh/authorized_keys")
        inside.put(b"MaxStartups 100\n", "/etc/ssh/sshd_config.d/berth.conf")
        inside.run("systemctl restart ssh", timeout_s=60)
        keys = tuple(
            inside.run(q("cat {path}", path=f"/etc/ssh/ssh_host_{kind}_key.pub")).text
            for kind in ("ed25519", "rsa")
        )
        yield SshMachine(
            inside=inside,
            address=inside.run("hostname -I").text.split()[0],
            host_keys=keys,
            identity=folder / "root_ed25519",
        )
