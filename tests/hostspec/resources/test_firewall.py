from collections.abc import Iterator

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Operation, Outcome, Spec, apply, audit
from chalicelib.hostspec.frames import prologue
from chalicelib.hostspec.resources.firewall import Firewall
from chalicelib.hostspec.resources.firewall_rules import Rule
from chalicelib.shell import Item, Node, command, document, q, redirect, script
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well, live, operation
from tests.hostspec.packets import HOST6, SERVED, Neighbour, neighbour, with_nftables

FIRST, SECOND = SERVED
WEB = Rule(ports=(FIRST, "8000-8100"), comment="web")
UNIT = "berth-firewall-berth.service"
THEIRS = (
    "add table inet theirs; add chain inet theirs input { type filter hook input priority 5; }\n"
)


@pytest.fixture(scope="module")
def walled(inside: Transport) -> Iterator[Transport]:
    """A machine with nftables, reached in a way that no rule can cut."""
    with_nftables(inside)
    yield inside
    apply(Spec(Firewall(absent=True)), inside)


@pytest.fixture(scope="module")
def near(walled: Transport) -> Iterator[Neighbour]:
    with neighbour(walled) as found:
        yield found


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_firewall_lives(walled: Transport) -> None:
    rules = (
        WEB,
        Rule(sources=("10.0.0.0/8", "fd00::/8"), interfaces=("berth*", "lo"), verdict="reject"),
        Rule(chain="forward", interfaces=("a",), out_interfaces=("b",), states=("new",)),
        Rule(chain="output", destinations=("192.0.2.0/24",), protocol="icmp", verdict="drop"),
        Rule(chain="prerouting", protocol="udp", ports=(1,), verdict="drop"),
        Rule(chain="postrouting", out_interfaces=("eth9",), verdict="masquerade"),
    )
    live(
        walled,
        Firewall(rules=rules),
        Firewall(rules=(WEB,), forward_policy="drop"),
        drift=[
            _nft("add rule inet berth input tcp dport 1 accept\n"),
            _nft("insert rule inet berth input drop\n"),
            _nft("flush chain inet berth input\n"),
            _nft("delete chain inet berth forward\n"),
            _nft("add chain inet berth evil; add rule inet berth forward jump evil\n"),
            _nft("add set inet berth evil { type ipv4_addr; }\n"),
            _nft("add chain inet berth input { policy accept; }\n"),
            _nft("delete table inet berth\n"),
            "cp /etc/passwd /etc/nftables.d/berth.nft",
            command("systemctl", "disable", "--quiet", UNIT),
            command("rm", f"/etc/systemd/system/{UNIT}"),
        ],
    )


def _nft(text: str) -> Node:
    return script(*prologue(), redirect("nft -f -", document(text)))


def _listing(machine: Transport, what: str) -> bytes:
    return machine.run(script(*prologue(), command("nft", "list", what))).stdout


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_what_is_not_ours_stays(walled: Transport) -> None:
    walled.run(_nft(THEIRS))
    digest = "sha256sum /etc/nftables.conf"
    try:
        before = (_listing(walled, "ruleset"), walled.run(digest).stdout)
        apply_well(walled, Firewall(rules=(WEB,)))
        apply_well(walled, Firewall(rules=()))
        apply_well(walled, Firewall(absent=True))

        assert (_listing(walled, "ruleset"), walled.run(digest).stdout) == before
    finally:
        walled.run(_nft("delete table inet theirs\n"))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_packets_go_as_the_rules_say(walled: Transport, near: Neighbour) -> None:
    assert near.reaches(FIRST)
    assert near.reaches(SECOND, host=HOST6)

    apply_well(walled, Firewall(rules=(WEB,)))
    assert near.reaches(FIRST)
    assert near.reaches(FIRST, host=HOST6)
    assert not near.reaches(SECOND)
    assert not near.reaches(SECOND, host=HOST6)

    theirs = Rule(ports=(SECOND,), sources=(near.address4,))
    apply_well(walled, Firewall(rules=(theirs,)))
    assert near.reaches(SECOND)
    assert not near.reaches(SECOND, host=HOST6)
    assert not near.reaches(FIRST)

    apply_well(walled, Firewall(absent=True))
    assert near.reaches(SECOND, host=HOST6)


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_it_is_loaded_at_boot_and_after_the_distributions_own_rules(walled: Transport) -> None:
    wanted = Firewall(rules=(WEB,))
    apply_well(walled, wanted)
    try:
        flushes: list[Item] = [
            [_nft("flush ruleset\n"), q("systemctl restart {unit}", unit=UNIT)],
            ["systemctl start nftables", "systemctl restart nftables"],
            "systemctl reload nftables",
        ]
        for flushed in flushes:
            walled.run(flushed)
            assert operation(walled, wanted) is Operation.NOTHING, flushed
        wants = walled.run(q("systemctl show -P Before {unit}", unit=UNIT)).stdout.split()
        assert b"network-pre.target" in wants
    finally:
        walled.run("systemctl stop nftables")
        apply_well(walled, Firewall(absent=True))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_rules_that_nft_refuses_change_nothing(walled: Transport) -> None:
    """A set of the same name and another type is in the way: the whole transaction is off."""
    walled.run(_nft("add table inet berth; add set inet berth opened { type ipv4_addr; }\n"))
    before = _listing(walled, "ruleset")
    try:
        outcome = apply(Spec(Firewall(rules=(WEB,))), walled).outcomes[0]

        assert outcome.outcome is Outcome.FAILED
        assert "nft -c" in outcome.command
        assert _listing(walled, "ruleset") == before
    finally:
        apply_well(walled, Firewall(absent=True))


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_changed_table_is_shown_as_it_is(walled: Transport) -> None:
    apply_well(walled, Firewall(rules=(WEB,)))
    walled.run(_nft("add rule inet berth input tcp dport 1 accept\n"))
    try:
        plan = audit(Spec(Firewall(rules=(WEB,))), walled)

        assert "tcp dport 1 accept" in str(plan.work[0].differences[0].before)
    finally:
        apply_well(walled, Firewall(absent=True))


@pytest.mark.parametrize("table", ["", "filter", "Berth", "berth x", "berth;", "berth" + "x" * 21])
def test_a_table_that_may_be_anothers_is_refused(table: str) -> None:
    with pytest.raises(SpecError, match="is not berth, then"):
        Firewall(table=table)
