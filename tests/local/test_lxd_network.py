from ipaddress import IPv4Interface

from chalicelib.local.lxd_network import rules

GATEWAY = IPv4Interface("10.87.0.1/24")


def test_the_table_is_replaced_in_one_transaction_and_no_other_is_named() -> None:
    text = rules(GATEWAY)

    tables = [line for line in text.splitlines() if "table" in line]
    assert tables == ["table inet berth {", "delete table inet berth", "table inet berth {"]


def test_other_interfaces_are_let_through_first() -> None:
    """Else the rules would cut the machine itself off."""
    for chain in rules(GATEWAY).split("chain ")[1:]:
        lines = [line.strip() for line in chain.splitlines()]
        assert lines[2] == 'iifname != "berthbr0" accept'
