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

_LINK_LOCAL = "169.254.0.0/16"
"""The metadata services of clouds, among others."""


def lxd_host(
    device: str = "",
    size_gib: int = 30,
    gateway: str = "10.87.0.1/24",
    project: str = "berth",
    pool: str = "berth",
    bridge: str = "berthbr0",
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
        pool: name of the storage pool.
        bridge: name of the network.

    Raises:
        SpecError: the gateway is no address with a network of IPv4.
    """
    try:
        address = IPv4Interface(gateway)
    except ValueError:
        raise SpecError(reason=f"gateway: {gateway!r} is no address with its network") from None
    return (
        Packages(names=("btrfs-progs", "curl", "lxd", "nftables")),
        LxdServer(config={"images.auto_update_interval": "0"}),
        LxdStoragePool(id=pool, driver="btrfs", source=device, config=_storage(device, size_gib)),
        LxdNetwork(id=bridge, config=_addresses(address), description="Berth's jobs"),
        LxdProject(id=project, config=_FEATURES, description="Berth"),
        LxdProfile(
            id="default",
            project=project,
            description="Berth's jobs",
            config=_SAFE,
            devices=_devices(pool, bridge),
        ),
        Firewall(
            table=f"berth_{project.replace('-', '_')}",
            rules=_rules(bridge, address),
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


def _storage(device: str, size_gib: int) -> dict[str, str]:
    options = {"btrfs.mount_options": "noatime,user_subvol_rm_allowed"}
    return options if device else {**options, "size": f"{size_gib}GiB"}


def _devices(pool: str, bridge: str) -> dict[str, dict[str, str]]:
    nic = {"type": "nic", "name": "eth0", "nictype": "bridged", "parent": bridge}
    return {
        "root": {"type": "disk", "path": "/", "pool": pool},
        "eth0": {**nic, "security.port_isolation": "true"},
    }


def _addresses(address: IPv4Interface) -> dict[str, str]:
    network = address.network
    return {
        "ipv4.address": str(address),
        "ipv4.nat": "true",
        "ipv4.dhcp.ranges": f"{network[network.num_addresses // 2]}-{network[-2]}",
        "ipv6.address": "none",
    }


def _rules(bridge: str, address: IPv4Interface) -> tuple[Rule, ...]:
    """Return what the bridge's containers may reach. LXD's own rules do the NAT."""
    inside = (bridge,)
    gateway = (str(address.ip),)
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
