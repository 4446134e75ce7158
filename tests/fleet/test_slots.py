from ipaddress import IPv4Interface
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from chalicelib.fleet.slots import (
    MOST_SLOTS,
    RANGE_SIZE,
    SlotPlan,
    golden_name,
    hold_slot,
    taken_ranges,
)

PLAN = SlotPlan(last_id=10_100_001, gateway=IPv4Interface("10.87.0.1/24"))


def test_no_two_slots_share_an_id_or_an_address() -> None:
    ranges = [PLAN.ids(slot) for slot in range(MOST_SLOTS)]
    networks = {PLAN.config(slot)["raw.lxc"] for slot in range(MOST_SLOTS)}

    assert all(later.stop == earlier.start for earlier, later in pairwise(ranges))
    assert ranges[-1].start > 0
    assert len(networks) == MOST_SLOTS


def test_slots_take_their_ids_from_the_top() -> None:
    assert PLAN.ids(0).stop == 10_100_001


def test_a_slot_has_the_address_behind_the_gateway() -> None:
    raw = PLAN.config(4)["raw.lxc"]

    assert raw.splitlines() == [
        "lxc.net.0.ipv4.address=10.87.0.6/24",
        "lxc.net.0.ipv4.gateway=10.87.0.1",
    ]


def test_the_plan_is_read_back_from_a_golden_container() -> None:
    assert SlotPlan.of_golden(PLAN.config(7)) == PLAN


def instance(config: dict[str, str], status: str = "Running") -> dict[str, Any]:
    """Return a container as LXD lists it."""
    return {"config": config, "expanded_config": config, "status": status}


def test_a_stopped_golden_container_takes_no_range() -> None:
    golden = {**PLAN.config(0), "user.berth.golden": "true"}

    assert taken_ranges([instance(golden, "Stopped")]) == []
    assert taken_ranges([instance(golden, "Running")]) == [PLAN.ids(0)]


@pytest.mark.parametrize("status", ["Stopped", "Running", "Frozen"])
def test_a_copy_takes_its_range(status: str) -> None:
    copy = {**PLAN.config(1), "user.berth.golden": "false"}

    assert taken_ranges([instance(copy, status)]) == [PLAN.ids(1)]


def test_somebody_elses_isolated_container_takes_the_range_lxd_chose() -> None:
    config = {"security.idmap.isolated": "true", "volatile.idmap.base": "200000"}

    assert taken_ranges([instance(config)]) == [range(200_000, 200_000 + RANGE_SIZE)]


def test_a_container_on_the_shared_range_takes_none() -> None:
    assert taken_ranges([instance({"volatile.idmap.base": "0"})]) == []


def test_a_slot_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with (
        hold_slot(tmp_path, 1) as first,
        hold_slot(tmp_path, 1) as again,
        hold_slot(tmp_path, 2) as other,
    ):
        held = (first, again, other)
    with hold_slot(tmp_path, 1) as later:
        pass

    assert held == (True, False, True)
    assert later


@pytest.mark.parametrize(("slot", "expected"), [(0, "ci-golden-base"), (2, "ci-golden-base-2")])
def test_golden_containers_are_named_by_image_and_slot(slot: int, expected: str) -> None:
    assert golden_name("ci", "base", slot) == expected
