import doctest
from typing import Any

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec.resources import firewall_rules
from chalicelib.hostspec.resources.firewall_rules import Rule, ruleset


def test_the_examples_are_true() -> None:
    assert doctest.testmod(firewall_rules).failed == 0


@pytest.mark.parametrize(
    ("rule", "lines"),
    [
        (Rule(), ("accept",)),
        (Rule(ports=(80, "8000-8100")), ("tcp dport { 80, 8000-8100 } accept",)),
        (Rule(protocol="udp", ports=(53,)), ("udp dport { 53 } accept",)),
        (Rule(protocol="icmpv6", verdict="drop"), ("meta l4proto ipv6-icmp drop",)),
        (
            Rule(sources=("fd00::/8", "10.0.0.0/8", "192.0.2.1"), verdict="reject"),
            ("ip saddr { 10.0.0.0/8, 192.0.2.1 } reject", "ip6 saddr { fd00::/8 } reject"),
        ),
        (
            Rule(sources=("fd00::/8", "10.0.0.0/8"), destinations=("10.1.0.0/16",)),
            ("ip saddr { 10.0.0.0/8 } ip daddr { 10.1.0.0/16 } accept",),
        ),
        (
            Rule(chain="forward", interfaces=("veth*",), out_interfaces=("a", "b")),
            ('iifname "veth*" oifname { "a", "b" } accept',),
        ),
        (
            Rule(chain="postrouting", out_interfaces=("eth0",), verdict="masquerade"),
            ('oifname "eth0" masquerade',),
        ),
        (
            Rule(states=("new",), comment="it's new"),
            ('ct state { new } accept comment "it\'s new"',),
        ),
    ],
    ids=range(9),
)
def test_a_rule_is_said_to_nftables(rule: Rule, lines: tuple[str, ...]) -> None:
    assert rule.lines() == lines


@pytest.mark.parametrize(
    "wrong",
    [
        {"chain": "nowhere"},
        {"verdict": "jump"},
        {"verdict": "masquerade"},
        {"verdict": "drop", "chain": "postrouting"},
        {"verdict": "reject", "chain": "prerouting"},
        {"protocol": "sctp"},
        {"protocol": "icmp", "ports": (1,)},
        {"ports": (0,)},
        {"ports": (65536,)},
        {"ports": ("9-1",)},
        {"ports": ("1-2-3",)},
        {"ports": ("ssh",)},
        {"ports": ("1 } accept",)},
        {"sources": ("10.0.0.1/8",)},
        {"sources": ("fe80::1%eth0",)},
        {"sources": ("host",)},
        {"sources": ("10.0.0.0/8",), "destinations": ("fd00::/8",)},
        {"interfaces": ('a" accept',)},
        {"interfaces": ("sixteen-letters-",)},
        {"interfaces": ("a",), "chain": "output"},
        {"out_interfaces": ("a",)},
        {"states": ("old",)},
        {"comment": 'a"'},
        {"comment": "a\n"},
        {"comment": "ä" * 65},
    ],
    ids=str,
)
def test_what_is_no_rule_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="a rule of a firewall"):
        Rule(**wrong)


def test_chains_without_rules_are_deleted_whether_they_are_there_or_not() -> None:
    lines = ruleset("berth", (), {"forward": "drop"}).splitlines()

    output = [line for line in lines if "berth output" in line]
    assert output == [f"{verb} chain inet berth output" for verb in ("add", "flush", "delete")]
    assert any("forward { " in line and "policy drop" in line for line in lines)
