"""What every host of builds has, whatever runs them."""

from chalicelib.hostspec.resource import Resource
from chalicelib.hostspec.resources import Limit, Packages, Service, Sysctl, Timezone

__all__ = ["SYSCTLS", "build_base"]

SYSCTLS = {
    "fs.aio-max-nr": "524288",
    "fs.inotify.max_queued_events": "1048576",
    "fs.inotify.max_user_instances": "1048576",
    "fs.inotify.max_user_watches": "1048576",
    "kernel.dmesg_restrict": "1",
    "kernel.keys.maxbytes": "2000000",
    "kernel.keys.maxkeys": "2000",
    "net.ipv4.neigh.default.gc_thresh3": "8192",
    "net.ipv6.neigh.default.gc_thresh3": "8192",
    "vm.max_map_count": "262144",
}
"""LXD's own list for many containers
(https://documentation.ubuntu.com/lxd/en/latest/reference/server_settings/).
"""
_PACKAGES = ("ca-certificates", "chrony", "curl", "nftables")


def build_base(kernel: bool = True) -> tuple[Resource, ...]:  # noqa: FBT001, FBT002 - by --set
    """Return UTC and a clock that is right, limits for many processes, and a few tools.

    Args:
        kernel: set the kernel's parameters too. In a container most of them cannot be.
    """
    limits = [
        Limit(domain=domain, item="nofile", soft=1_048_576, hard=1_048_576)
        for domain in ("*", "root")
    ]
    parameters = [Sysctl(key=key, value=value) for key, value in SYSCTLS.items()]
    return (
        Packages(names=_PACKAGES),
        Timezone(zone="Etc/UTC"),
        Service(unit="chrony.service", running=True if kernel else None),
        *limits,
        *(parameters if kernel else ()),
    )
