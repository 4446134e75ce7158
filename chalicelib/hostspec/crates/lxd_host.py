"""A host whose LXD is ready for the containers of jobs: pool, bridge, project, and rules around them."""

from ipaddress import IPv4Interface

from chalicelib.errors import SpecError
from chalicelib.hostspec.resource import Resource
from chalicelib.hostspec.resources import (
    Firewall,
    LxdNetwork,
    LxdProfile,
    LxdProject,
    LxdServer,
    LxdStoragePool,
    Packages,
    Rule,
)

__all__ = ["lxd_host"]

BRIDGE = "berthbr0"
_LINK_LOCAL = "169.254.0.0/16"
"""The metadata services of clouds, among others."""


def lxd_host(
    device: str = "",
    size_gib: int = 30,
    gateway: str = "10.87.0.1/24",
    project: str = "berth",
) -> tuple[Resource, ...]:
    """Return LXD with a copy-on-write pool, a bridge of its own, and a project for jobs.

    Containers reach the bridge's DHCP and DNS, and the world through NAT. They reach neither the
    host, nor a cloud's metadata service, nor one another.

    Args:
        device: a block device for the pool, which must hold nothing. Default: a file of LXD's own.
        size_gib: of that file.
        gateway: the bridge's address and network. Its upper half is for DHCP, the lower one is left
            to the fixed addresses of jobs.
        project: of LXD.

    Raises:
        SpecError: the gateway is no address with a network of IPv4.
    """
    try:
        bridge = IPv4Interface(gateway)
    except ValueError:
        raise SpecError(reason=f"gateway: {gateway!r} is no address with its network") from None
    pool = {"btrfs.mount_options": "noatime,user_subvol_rm_allowed"}
    if not device:
        pool["size"] = f"{size_gib}GiB"
    return (
        Packages(names=("btrfs-progs", "curl", "lxd", "nftables")),
        LxdServer(config={"images.auto_update_interval": "0"}),
        LxdStoragePool(id="berth", driver="btrfs", source=device, config=pool),
        LxdNetwork(id=BRIDGE, config=_addresses(bridge), description="Berth's jobs"),
        LxdProject(id=project, config=_FEATURES, description="Berth"),
        LxdProfile(
            id="default",
            project=project,
            description="Berth's jobs",
            config=_SAFE,
            devices=_DEVICES,
        ),
        Firewall(
            table="berth_lxd",
            rules=_rules(bridge),
            input_policy="accept",
            needs=("packages btrfs-progs curl lxd nftables",),
        ),
    )


_FEATURES = {
    "features.images": "true",
    "features.networks": "false",
    "features.profiles": "true",
    "features.storage.volumes": "true",
}
_SAFE = {
    "boot.autostart": "false",  # a job's container is not brought back by a restart of LXD
    "security.devlxd": "false",
    "security.nesting": "false",
    "security.privileged": "false",
}
_DEVICES = {
    "root": {"type": "disk", "path": "/", "pool": "berth"},
    "eth0": {
        "type": "nic",
        "name": "eth0",
        "nictype": "bridged",
        "parent": BRIDGE,
        "security.port_isolation": "true",
    },
}


def _addresses(bridge: IPv4Interface) -> dict[str, str]:
    network = bridge.network
    return {
        "ipv4.address": str(bridge),
        "ipv4.nat": "true",
        "ipv4.dhcp.ranges": f"{network[network.num_addresses // 2]}-{network[-2]}",
        "ipv6.address": "none",
    }


def _rules(bridge: IPv4Interface) -> tuple[Rule, ...]:
    """Return what the bridge's containers may reach. LXD's own rules do the NAT."""
    inside = (BRIDGE,)
    gateway = (str(bridge.ip),)
    return (
        Rule(interfaces=inside, protocol="udp", ports=(67,), comment="DHCP"),
        Rule(interfaces=inside, destinations=gateway, protocol="udp", ports=(53,), comment="DNS"),
        Rule(interfaces=inside, destinations=gateway, protocol="tcp", ports=(53,), comment="DNS"),
        Rule(interfaces=inside, verdict="reject", comment="nothing else of the host"),
        Rule(
            chain="forward",
            interfaces=inside,
            out_interfaces=inside,
            verdict="reject",
            comment="not one another",
        ),
        Rule(
            chain="forward",
            interfaces=inside,
            destinations=(_LINK_LOCAL,),
            verdict="reject",
            comment="no metadata service",
        ),
    )
