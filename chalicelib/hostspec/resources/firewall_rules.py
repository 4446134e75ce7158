"""Rules of a firewall as typed values, and the nftables script that they make. Pure.

>>> Rule(ports=(22,), sources=("10.0.0.0/8",)).lines()
('ip saddr { 10.0.0.0/8 } tcp dport { 22 } accept',)
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final, Literal

from chalicelib.errors import SpecError

__all__ = [
    "BLOCKED",
    "CHAINS",
    "OPENED",
    "SETS",
    "Chain",
    "Policy",
    "Protocol",
    "Rule",
    "ruleset",
]

Chain = Literal["input", "forward", "output", "prerouting", "postrouting"]
Policy = Literal["accept", "drop"]
Protocol = Literal["tcp", "udp", "icmp", "icmpv6"]
State = Literal["new", "established", "related", "invalid", "untracked"]
Verdict = Literal["accept", "drop", "reject", "masquerade"]

CHAINS: Mapping[str, str] = {
    "input": "type filter hook input priority filter",
    "forward": "type filter hook forward priority filter",
    "output": "type filter hook output priority filter",
    # Before connections are tracked further and addresses translated.
    "prerouting": "type filter hook prerouting priority mangle",
    "postrouting": "type nat hook postrouting priority srcnat",
}
"""The chains there can be, and where the kernel calls them."""
OPENED: Final = "opened"
BLOCKED: Final = "blocked"
SETS: Mapping[str, str] = {
    f"{name}{version}": f"type {address}inet_proto . inet_service; flags timeout;"
    for name in (OPENED, BLOCKED)
    for version, address in (("", ""), ("4", "ipv4_addr . "), ("6", "ipv6_addr . "))
}
"""The sets of what is opened and blocked for some time; see `runtime_rules`. `4` and `6` are by the
address it comes from. No ranges (`flags interval`): to delete an address there, nft 1.0.6 on Linux
6.18 deletes a network that it is in (tried 2026-11-26).
"""
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+:-]{0,13}[A-Za-z0-9*]?")
_COMMENT_BYTES = 128
_LAST_PORT = 65535
_WITH_PORTS = ("tcp", "udp")
_FAMILIES = {4: "ip", 6: "ip6"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is done with the packets that all of this fits.

    Attributes:
        chain: where the packet is: `input` to this host, `forward` through it, `output` from it,
            `prerouting` before either, `postrouting` on its way out.
        verdict: `accept`, `drop`, `reject` (the sender is told) or, on its way out, `masquerade`.
            Default: accept.
        protocol: `tcp`, `udp`, `icmp` or `icmpv6`. Default: tcp if there are ports, else any.
        ports: where to, as 80 or `"8000-8100"`. Default: any.
        sources: where from, as networks: `10.0.0.0/8`, `fd00::/8`, `192.0.2.1`. Default: anywhere.
        destinations: where to, likewise.
        interfaces: how it came in; an ending `*` stands for any. Default: any.
        out_interfaces: how it goes out, likewise.
        states: of its connection: `new`, `established`, `related`, `invalid`, `untracked`.
        comment: for people; up to 128 bytes.
    """

    chain: Chain = "input"
    verdict: Verdict = "accept"
    protocol: Protocol | None = None
    ports: tuple[int | str, ...] = ()
    sources: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    out_interfaces: tuple[str, ...] = ()
    states: tuple[State, ...] = ()
    comment: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            SpecError: says what.
        """
        _demand(self.chain in CHAINS, f"no chain {self.chain!r}")
        self._check_verdict()
        protocols = (None, "tcp", "udp", "icmp", "icmpv6")
        _demand(self.protocol in protocols, f"no protocol {self.protocol!r}")
        with_ports = not self.ports or self.protocol in (None, *_WITH_PORTS)
        _demand(with_ports, f"{self.protocol} has no ports")
        for port in self.ports:
            _demand(_is_port(port), f"{port!r} is no port or range of ports")
        for each in (*self.sources, *self.destinations):
            _demand(_family(each), f"{each!r} is no network")
        _demand(self._families(), "no address family is in both sources and destinations")
        for name in (*self.interfaces, *self.out_interfaces):
            _demand(_INTERFACE.fullmatch(name), f"{name!r} is no interface")
        plain = self.comment.isprintable() and not set(self.comment) & set('"\\')
        short = len(self.comment.encode()) <= _COMMENT_BYTES
        _demand(plain and short, f"the comment {self.comment!r}")

    def lines(self) -> tuple[str, ...]:
        """Return the rules of nftables: one, or one for each family of addresses."""
        return tuple(" ".join(self._words(family)) for family in self._families())

    def _check_verdict(self) -> None:
        allowed = {"accept", "drop", "reject"}
        if self.chain == "prerouting":
            allowed = {"accept", "drop"}
        if self.chain == "postrouting":
            # It translates addresses: only the first packet of a connection comes by.
            allowed = {"accept", "masquerade"}
        _demand(self.verdict in allowed, f"{self.verdict!r} is no verdict of {self.chain}")
        outgoing = self.chain in {"output", "postrouting"}
        _demand(not (outgoing and self.interfaces), f"{self.chain} knows no incoming interface")
        incoming = self.chain in {"input", "prerouting"}
        _demand(not (incoming and self.out_interfaces), f"{self.chain} knows no outgoing interface")
        known = {"new", "established", "related", "invalid", "untracked"}
        _demand(set(self.states) <= known, f"states: {self.states}")

    def _families(self) -> tuple[int, ...]:
        """Return the families it is about; 0 where addresses do not matter."""
        sides = [{_family(each) for each in side} for side in (self.sources, self.destinations)]
        given = [side for side in sides if side]
        return tuple(sorted(set.intersection(*given))) if given else (0,)

    def _words(self, family: int) -> Iterator[str]:
        yield from _names("iifname", self.interfaces)
        yield from _names("oifname", self.out_interfaces)
        for word, networks in (("saddr", self.sources), ("daddr", self.destinations)):
            if own := [each for each in networks if _family(each) == family]:
                yield f"{_FAMILIES[family]} {word} {_set(own)}"
        if self.ports:
            yield f"{self.protocol or 'tcp'} dport {_set(self.ports)}"
        elif self.protocol:
            yield f"meta l4proto {'ipv6-icmp' if self.protocol == 'icmpv6' else self.protocol}"
        if self.states:
            yield f"ct state {_set(self.states)}"
        yield self.verdict
        if self.comment:
            yield f'comment "{self.comment}"'


def ruleset(table: str, rules: tuple[Rule, ...], policies: Mapping[str, Policy]) -> str:
    """Return the script for `nft -f` that makes a table hold these rules and no others, at once.

    What is in its sets stays there. It may be run with any or no such table, and again.

    Args:
        table: its name; the family is `inet`.
        rules: in order, for all chains.
        policies: what a chain does with what no rule decides; not named: accept.
    """
    lines = [f"add table inet {table}"]
    lines += [f"add set inet {table} {name} {{ {what} }}" for name, what in SETS.items()]
    for chain, hook in CHAINS.items():
        own = [line for rule in rules if rule.chain == chain for line in rule.lines()]
        policy = policies.get(chain, "accept")
        if chain == "input":
            own = [*_FIRST, *own]
        if own or policy != "accept":
            lines.append(f"add chain inet {table} {chain} {{ {hook}; policy {policy}; }}")
            lines.append(f"flush chain inet {table} {chain}")
            lines += [f"add rule inet {table} {chain} {line}" for line in own]
        else:
            # Added first, so that it can be deleted whether it is there or not.
            lines += [f"{verb} chain inet {table} {chain}" for verb in ("add", "flush", "delete")]
    return "\n".join([*lines, ""])


_NEIGHBOURS = ("nd-router-solicit", "nd-router-advert", "nd-neighbor-solicit", "nd-neighbor-advert")


def _looked_up(name: str, verdict: Verdict) -> tuple[str, ...]:
    sides = (("", ""), ("4", "ip saddr . "), ("6", "ip6 saddr . "))
    return tuple(
        f"{side}meta l4proto . th dport @{name}{version} {verdict}" for version, side in sides
    )


_FIRST = (
    *_looked_up(BLOCKED, "drop"),
    "ct state { established, related } accept",
    'iifname "lo" accept',
    *_looked_up(OPENED, "accept"),
    # Without these there is no IPv6 (RFC 4890, 4.4.1).
    f"icmpv6 type {{ {', '.join(_NEIGHBOURS)} }} accept",
)


def _demand(holds: object, reason: str) -> None:
    if not holds:
        raise SpecError(reason=f"a rule of a firewall: {reason}")


def _is_port(port: int | str) -> bool:
    ends = [str(port)] if isinstance(port, int) else port.split("-")
    numbers = [int(end) for end in ends if re.fullmatch(r"[0-9]{1,5}", end)]
    whole = len(numbers) == len(ends) in {1, 2}
    return whole and numbers == sorted(numbers) and 1 <= numbers[0] <= numbers[-1] <= _LAST_PORT


def _family(network: str) -> int:
    """Return 4 or 6, or 0: it is no network, or has bits of a host in it."""
    try:
        return ip_network(network).version if "%" not in network else 0
    except ValueError:
        return 0


def _set(values: tuple[object, ...] | list[str]) -> str:
    return f"{{ {', '.join(map(str, values))} }}"


def _names(word: str, names: tuple[str, ...]) -> Iterator[str]:
    if names:
        quoted = tuple(f'"{name}"' for name in names)
        # A set of names takes wildcards since nftables 1.0.2 only; one alone always did.
        yield f"{word} {quoted[0] if len(quoted) == 1 else _set(quoted)}"
