"""A machine with OpenRC that says that it is Alpine: Debian has OpenRC too, and not Alpine itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chalicelib.shell import all_of, both_to, env, println, q, redirect, until, write_to
from chalicelib.transport import Transport
from chalicelib.transport.ssh import SshTransport
from tests.lxd_site import LxdSite
from tests.transport.lxd_site import sshd_container

__all__ = ["alpine_machine"]

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_RESTART = {"action": "restart", "force": True, "timeout": 30}


@contextmanager
def alpine_machine(lxd: LxdSite, folder: Path) -> Iterator[Transport]:
    """Make a container whose process 1 starts OpenRC, reached by SSH; remove it at the end.

    Takes 15 seconds, and needs the package archive.

    Args:
        lxd: makes it.
        folder: an empty one for the key.
    """
    install = q("apt-get -qy --no-install-recommends install openrc sysvinit-core")
    with sshd_container(lxd, folder) as made:
        got = env(install, DEBIAN_FRONTEND="noninteractive", PATH=_PATH)
        made.inside.run(got, timeout_s=120)
        made.inside.run(redirect(println("ID=alpine"), write_to("/etc/os-release")))
        lxd.api.put("instances", made.inside.host, "state", body=_RESTART)
        up = all_of("grep -q default /run/openrc/softlevel", "rc-service ssh status")
        made.inside.run(until(redirect(up, *both_to("/dev/null")), "sleep 0.1"), timeout_s=60)
        transport = SshTransport(made.target())
        try:
            yield transport
        finally:
            transport.close()
