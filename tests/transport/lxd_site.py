"""Containers for tests of transports, made as a host makes them: plain, and with an sshd."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chalicelib.fleet.containers import Containers
from chalicelib.fleet.protocol import AttemptPlan, ContainerLimits
from chalicelib.model import container_name
from chalicelib.shell import Secret, env, q, q_chain
from chalicelib.transport.lxd import LxdTarget, LxdTransport
from chalicelib.transport.ssh import SshTarget
from tests.lxd_site import LxdSite
from tests.transport.sshd import make_key

__all__ = ["SshdSite", "lxd_container", "sshd_container"]

_HOST = "this machine"
_JOB = "transportmachine"
_LIMITS = ContainerLimits(cpus=2, memory_mib=1024, disk_gib=2, processes=1000)
_INSTALL = (
    q("apt-get -q update"),
    env("apt-get -qy install openssh-server", DEBIAN_FRONTEND="noninteractive"),
)
_fences = itertools.count(os.getpid() * 1000)


@contextmanager
def lxd_container(site: LxdSite, **changes: object) -> Iterator[LxdTransport]:
    """Make and start a container, and remove it at the end of the block.

    Args:
        site: the LXD.
        changes: fields of the transport's target that are to be different.
    """
    with _running(site) as name:
        wanted = {"container": name, "lxd": site.facts.socket, "project": site.facts.project}
        transport = LxdTransport(LxdTarget(**{**wanted, **changes}))  # type: ignore[arg-type]
        try:
            yield transport
        finally:
            transport.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class SshdSite:
    """A container with a real sshd that is reached from this machine, and lets root in by one key.

    Attributes:
        inside: runs commands in the container without its sshd.
        address: the container's.
        host_keys: the public keys that its sshd is known by.
        key: root's private key, Ed25519.
    """

    inside: LxdTransport
    address: str
    host_keys: tuple[str, ...]
    key: Secret
    port: int = 22

    def target(self, **changes: object) -> SshTarget:
        """How to get there."""
        wanted: dict[str, object] = {
            "address": self.address,
            "port": self.port,
            "user": "root",
            "host_keys": self.host_keys,
            "keys": (self.key,),
        }
        return SshTarget(**{**wanted, **changes})  # type: ignore[arg-type]


@contextmanager
def sshd_container(site: LxdSite, folder: Path) -> Iterator[SshdSite]:
    """Make a container, install Debian's sshd in it and start that; remove it at the end of the block.

    Takes five seconds, and needs the package archive.

    Args:
        site: the LXD.
        folder: an empty one for the key.
    """
    with lxd_container(site) as inside:
        public = make_key(folder / "root_ed25519", "ed25519")
        inside.run(q_chain(*_INSTALL), timeout_s=120)
        inside.run("mkdir -p /root/.ssh")
        inside.put(public.encode(), "/root/.ssh/authorized_keys")
        inside.put(b"MaxStartups 100\n", "/etc/ssh/sshd_config.d/tests.conf")
        inside.run("systemctl restart ssh", timeout_s=60)
        keys = tuple(
            inside.run(q("cat {path}", path=f"/etc/ssh/ssh_host_{kind}_key.pub")).text
            for kind in ("ed25519", "rsa")
        )
        yield SshdSite(
            inside=inside,
            address=inside.run("hostname -I").text.split()[0],
            host_keys=keys,
            key=Secret((folder / "root_ed25519").read_text()),
        )


@contextmanager
def _running(site: LxdSite) -> Iterator[str]:
    fence = next(_fences)
    name = container_name(_JOB, fence)
    plan = AttemptPlan(
        job=_JOB, fence=fence, image="base", limits=_LIMITS, ticket="none", supervisor={}
    )
    containers = Containers(site.api, host=_HOST, project=site.facts.project)
    try:
        containers.make(plan)
        yield name
    finally:
        containers.remove(name)
