"""A host of builds: what Berth applies to the machines that it starts.

`docs/how-to/host-spec.md` shows this file.
"""

from chalicelib.hostspec.crates.build_base import build_base
from chalicelib.hostspec.crates.log_rotation import log_rotation
from chalicelib.hostspec.crates.lxd_host import lxd_host
from chalicelib.hostspec.crates.node_exporter import node_exporter
from chalicelib.hostspec.crates.ssh_hardening import ssh_hardening
from chalicelib.hostspec.spec import Spec

__all__ = ["build_host"]


def build_host(
    device: str = "",
    pool_gib: int = 30,
    metrics: str = "127.0.0.1:9100",
    kernel: bool = True,  # noqa: FBT001, FBT002 - by --set
) -> Spec:
    """Return the whole of a build host.

    Args:
        device: an empty block device for containers, such as that of an EBS volume. Default: a file.
        pool_gib: size of that file.
        metrics: where the node exporter answers.
        kernel: set the kernel's parameters; not in a container.
    """
    return Spec(
        build_base(kernel=kernel),
        ssh_hardening(),
        lxd_host(device=device, size_gib=pool_gib),
        log_rotation(files=("/var/log/berth/*.log",)),
        node_exporter(address=metrics),
    )
