"""The bridge of the containers, and the rules around it.

Containers reach the bridge's DHCP and DNS, and the world through NAT. They reach neither the
machine (any address, any other port), nor a cloud's metadata service, nor one another: on the
bridge their ports are isolated, and nothing is forwarded from the bridge back into it.
"""

import json
from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv4Network, ip_address
from pathlib import Path

from chalicelib.errors import CommandFailedError, LocalStackError
from chalicelib.fleet.lxd_api import LxdApi
from chalicelib.fleet.slots import MOST_SLOTS
from chalicelib.local.packages import find_program
from chalicelib.shell import command
from chalicelib.transport import LocalTransport

__all__ = ["BRIDGE", "ensure_bridge", "put_rules", "remove_rules", "rules"]

BRIDGE = "berthbr0"
TABLE = "berth"
_LINK_LOCAL = "169.254.0.0/16"
"""The metadata services of clouds, among others."""


def ensure_bridge(api: LxdApi) -> IPv4Interface:
    """Return the bridge's address and network, made if there was none. Foreign ones stay.

    Raises:
        LocalStackError: a network of that name is not ours, or no subnet is free.
    """
    found = api.get("networks", BRIDGE)
    if found is None:
        network = _free_subnet()
        first, last = network[MOST_SLOTS + 2], network[-2]
        address = IPv4Interface((network[1], network.prefixlen))
        config = {
            "ipv4.address": str(address),
            "ipv4.nat": "true",
            "ipv4.dhcp.ranges": f"{first}-{last}",  # below are the slots' fixed addresses
            "ipv6.address": "none",
            "user.berth": "true",
        }
        body = {"name": BRIDGE, "type": "bridge", "description": "Berth's jobs", "config": config}
        api.post("networks", body=body)
        return address
    if found["config"].get("user.berth") != "true":
        raise LocalStackError(
            reason=f"this machine has a network {BRIDGE} that Berth did not make",
            cure=f"rename or remove it: lxc network delete {BRIDGE}",
        )
    return IPv4Interface(found["config"]["ipv4.address"])


def _free_subnet() -> IPv4Network:
    """LXD's own search asks candidates for an answer, and where a proxy answers all, finds none."""
    taken = list(_known_networks())
    for candidate in IPv4Network("10.0.0.0/8").subnets(new_prefix=24):
        # From 10.87 on: the lower ones are many an office's own.
        if candidate.network_address.packed[1] >= 87 and not any(  # noqa: PLR2004
            map(candidate.overlaps, taken)
        ):
            return candidate
    raise LocalStackError(
        reason="no subnet of 10.87.0.0 and above is free for the containers",
        cure="take down a network that covers all of it (ip route says which)",
    )


def _known_networks() -> Iterator[IPv4Network]:
    routes = json.loads(_run(["ip", "-j", "-4", "route", "show", "table", "all"]) or "[]")
    for route in routes:
        if route["dst"] != "default":
            yield IPv4Network(route["dst"], strict=False)
    for line in Path("/etc/resolv.conf").read_text(errors="replace").splitlines():
        words = line.split()
        if words[:1] == ["nameserver"] and ip_address(words[1].partition("%")[0]).version == 4:  # noqa: PLR2004
            yield IPv4Network(words[1])


def rules(gateway: IPv4Interface) -> str:
    """Return our table as nftables reads it: what was in it is replaced, in one transaction.

    Other tables are neither read nor changed. An `accept` here does not overrule a `drop` of theirs;
    a `reject` here is final.
    """
    reject = "reject with icmpx admin-prohibited"
    return f"""\
table inet {TABLE} {{
}}
delete table inet {TABLE}
table inet {TABLE} {{
    chain input {{
        type filter hook input priority filter - 5; policy accept;
        iifname != "{BRIDGE}" accept
        ct state established,related accept
        udp dport 67 accept
        ip daddr {gateway.ip} meta l4proto {{ tcp, udp }} th dport 53 accept
        {reject}
    }}
    chain forward {{
        type filter hook forward priority filter - 5; policy accept;
        iifname != "{BRIDGE}" accept
        oifname "{BRIDGE}" {reject}
        ip daddr {_LINK_LOCAL} {reject}
        meta nfproto ipv6 {reject}
    }}
}}
"""


def put_rules(gateway: IPv4Interface) -> None:
    """Put our table in force. Safe to repeat.

    Raises:
        LocalStackError: the kernel or nft refused.
    """
    _run(["nft", "-f", "-"], rules(gateway))


def remove_rules() -> None:
    """Remove our table, if it is there."""
    _run(["nft", "-f", "-"], f"table inet {TABLE} {{\n}}\ndelete table inet {TABLE}\n")


def _run(words: list[str], given: str = "") -> str:
    program = find_program(words[0]) or words[0]
    try:
        return LocalTransport().run(command(program, *words[1:]), stdin=given.encode()).text
    except CommandFailedError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise LocalStackError(
            reason=f"{words[0]} failed: {said}",
            cure="the kernel needs nf_tables with NAT and reject; Debian's own has them",
        ) from error
