"""Pools, networks, access lists, projects and profiles of this machine's real LXD."""

import doctest

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Operation, Outcome, Spec, apply, audit
from chalicelib.hostspec.resources import (
    LxdNetwork,
    LxdNetworkAcl,
    LxdProfile,
    LxdProject,
    LxdServer,
    LxdStoragePool,
    lxd_object,
)
from chalicelib.shell import Node, command
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well, live, operation
from tests.hostspec.resources.lxd_names import ours

pytestmark = [pytest.mark.lxd, pytest.mark.timeout(300), pytest.mark.usefixtures("lxd")]

POOL, BRIDGE, ACL, PROJECT, PROFILE = map(ours, ("pool", "br", "acl", "proj", "prof"))

_OTHER = '{"description": "theirs"}'


def lxc(*words: str) -> Node:
    return command("lxc", *words)


def test_the_examples_are_true() -> None:
    assert doctest.testmod(lxd_object).failed == 0


def test_a_storage_pool_lives(here: Transport) -> None:
    live(
        here,
        LxdStoragePool(id=POOL, driver="dir", config={"rsync.bwlimit": "100MB"}),
        LxdStoragePool(id=POOL, driver="dir", config={"rsync.bwlimit": "200MB"}, description="d"),
        drift=[lxc("storage", "set", POOL, "rsync.bwlimit", "1MB")],
    )


def test_a_network_lives_and_keeps_what_others_have_set(here: Transport) -> None:
    config = {"ipv4.address": "10.254.77.1/24", "ipv4.nat": "false", "ipv6.address": "none"}
    first = LxdNetwork(id=BRIDGE, config=config)
    apply_well(here, first)
    here.run(lxc("network", "set", BRIDGE, "user.theirs", "kept"))
    apply_well(here, LxdNetwork(id=BRIDGE, config={**config, "dns.mode": "none"}))
    assert here.run(lxc("network", "get", BRIDGE, "user.theirs")).text == "kept"
    apply_well(here, LxdNetwork(id=BRIDGE, absent=True))

    live(
        here,
        first,
        LxdNetwork(id=BRIDGE, config={**config, "dns.mode": "none"}, description="other"),
        drift=[
            lxc("network", "set", BRIDGE, "dns.mode", "managed"),
            lxc("network", "delete", BRIDGE),
        ],
    )


def test_an_access_list_lives_and_has_no_rule_that_is_not_named(here: Transport) -> None:
    drop = {"action": "drop", "destination": "169.254.0.0/16"}
    allow = {"action": "allow", "protocol": "tcp", "destination_port": "443"}

    live(
        here,
        LxdNetworkAcl(id=ACL, egress=[drop]),
        LxdNetworkAcl(id=ACL, egress=[allow, drop], ingress=[{"action": "reject"}]),
        drift=[
            lxc("network", "acl", "rule", "add", ACL, "ingress", "action=allow"),
            lxc("network", "acl", "rule", "remove", ACL, "egress", "action=drop"),
        ],
    )


def test_a_project_and_a_profile_live(here: Transport) -> None:
    project = LxdProject(id=PROJECT, config={"features.images": "false"})
    live(
        here,
        project,
        LxdProject(id=PROJECT, config={"features.images": "false"}, description="other"),
        drift=[lxc("query", "-X", "PATCH", "-d", _OTHER, f"/1.0/projects/{PROJECT}")],
    )
    live(
        here,
        LxdProfile(id=PROFILE, project=PROJECT, config={"limits.memory": "1GiB"}),
        LxdProfile(
            id=PROFILE,
            project=PROJECT,
            config={"limits.memory": "2GiB"},
            devices={"none": {"type": "none"}},
        ),
        drift=[
            lxc("profile", "set", PROFILE, "limits.memory", "3GiB", "--project", PROJECT),
            lxc("profile", "device", "remove", PROFILE, "none", "--project", PROJECT),
        ],
        around=[project],
    )
    apply_well(here, LxdProject(id=PROJECT, absent=True))


def test_what_is_in_use_is_not_removed_and_says_so(here: Transport) -> None:
    pool = LxdStoragePool(id=POOL, driver="dir")
    used = LxdProfile(id=PROFILE, devices={"root": {"type": "disk", "path": "/", "pool": POOL}})
    apply_well(here, pool, used)

    report = apply(Spec(LxdStoragePool(id=POOL, driver="dir", absent=True)), here)

    assert report.outcomes[0].outcome is Outcome.FAILED
    assert "in use" in report.outcomes[0].tail
    apply_well(
        here,
        LxdProfile(id=PROFILE, absent=True),
        LxdStoragePool(id=POOL, driver="dir", absent=True),
    )


def test_a_pool_of_another_driver_is_not_changed_silently(here: Transport) -> None:
    apply_well(here, LxdStoragePool(id=POOL, driver="dir"))

    plan = audit(Spec(LxdStoragePool(id=POOL, driver="btrfs")), here)

    assert [(each.field, each.before, each.after) for each in plan.changes[0].differences] == [
        ("driver", "dir", "btrfs")
    ]
    report = apply(Spec(LxdStoragePool(id=POOL, driver="btrfs")), here)
    assert report.outcomes[0].outcome is Outcome.FAILED
    apply_well(here, LxdStoragePool(id=POOL, absent=True))


def test_the_server_is_set_and_keeps_what_others_have_set(here: Transport) -> None:
    server = LxdServer(config={"user.berth.test": "one"})

    apply_well(here, server)
    then = LxdServer(config={"user.berth.test": "two"})
    assert operation(here, then) is Operation.CHANGE
    apply_well(here, then)
    here.run(lxc("config", "set", "user.berth.test", "theirs"))
    assert operation(here, then) is Operation.CHANGE
    apply_well(here, then)
    gone = LxdServer(config={"user.berth.test": "any"}, absent=True)
    assert operation(here, gone) is Operation.REMOVE
    apply_well(here, gone)


def test_where_there_is_no_lxd_all_is_to_be_made(machine: Transport) -> None:
    assert operation(machine, LxdProject(id=PROJECT)) is Operation.CREATE
    assert operation(machine, LxdServer()) is Operation.CREATE


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(SpecError, match="LXD keeps it"):
        LxdProfile(id="default", absent=True)
    with pytest.raises(SpecError, match="is a text in LXD"):
        LxdNetwork(id="br", config={"ipv4.nat": True})  # type: ignore[dict-item]  # as YAML has it
