"""The crates that are shipped, each applied to a real system."""

import gzip
import inspect
from importlib import import_module
from pkgutil import iter_modules

import pytest

from chalicelib.errors import SpecError
from chalicelib.hostspec import Part, Spec, apply, audit, crates, everything
from chalicelib.hostspec.crates.build_base import build_base
from chalicelib.hostspec.crates.build_host import build_host
from chalicelib.hostspec.crates.log_rotation import log_rotation
from chalicelib.hostspec.crates.lxd_host import lxd_host
from chalicelib.hostspec.crates.node_exporter import node_exporter
from chalicelib.hostspec.crates.ssh_hardening import ssh_hardening
from chalicelib.hostspec.resources import (
    Firewall,
    LxdNetwork,
    LxdProject,
    LxdStoragePool,
)
from chalicelib.hostspec.script import unattended_script
from chalicelib.hostspec.system import DEBIAN
from chalicelib.hostspec.userdata import user_data
from chalicelib.shell import Node, q, render
from chalicelib.transport import Transport
from tests.hostspec.life import apply_well
from tests.hostspec.resources.lxd_names import ours

NAMES = sorted(each.name for each in iter_modules(crates.__path__))


@pytest.mark.parametrize("name", NAMES)
def test_each_crate_is_a_function_of_its_name_that_needs_no_argument(name: str) -> None:
    crate = getattr(import_module(f"chalicelib.hostspec.crates.{name}"), name)

    spec = Spec(crate())

    assert spec.resources
    assert all(
        each.default is not each.empty for each in inspect.signature(crate).parameters.values()
    )
    assert render(unattended_script(everything(spec, DEBIAN)), facts=DEBIAN.facts)


def test_a_build_host_can_be_made_at_its_first_boot() -> None:
    data = user_data(build_host())

    assert gzip.decompress(data).startswith(b"#!/bin/sh\n")


@pytest.mark.lxd
@pytest.mark.timeout(300)
def test_a_host_is_given_a_clock_a_hardened_sshd_bounded_logs_and_metrics(
    machine: Transport,
) -> None:
    wanted: list[Part] = [
        build_base(kernel=False),
        ssh_hardening(users=("root",)),
        log_rotation(files=("/var/log/berth/*.log",)),
        node_exporter(address="127.0.0.1:9111"),
    ]

    apply(Spec(wanted), machine).check()

    assert audit(Spec(wanted), machine).empty
    settings = machine.run("sshd -T").lines
    assert {"passwordauthentication no", "permitrootlogin without-password"} <= {*settings}
    assert "allowusers root" in settings
    assert machine.run(q("logrotate --debug /etc/logrotate.d/berth")).ok
    metrics = machine.run(q("curl -s --retry 9 --retry-connrefused http://127.0.0.1:9111/metrics"))
    assert "node_cpu_seconds_total" in metrics.text


def _firsts(host: Transport, asked: Node) -> set[str]:
    """Return the first column of what a command prints."""
    return {line.split(",")[0] for line in host.run(asked).lines}


@pytest.mark.lxd
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("lxd")
def test_an_lxd_is_made_ready_for_jobs_beside_what_it_has(here: Transport) -> None:
    """This machine's own, whose other pools, networks and projects must stay as they are."""
    names = {kind: ours(kind) for kind in ("project", "pool", "bridge")}
    asked = [
        q("lxc storage list -f csv"),
        q("lxc network list -f csv"),
        q("lxc project list -f csv"),
    ]
    before = [_firsts(here, each) for each in asked]

    crate = lxd_host(size_gib=1, gateway="10.253.77.1/24", **names)
    try:
        apply_well(here, crate)

        after = [_firsts(here, each) for each in asked]
        assert all(len(now - then) == 1 for now, then in zip(after, before, strict=True))
    finally:
        gone = (
            LxdProject(id=names["project"], absent=True),
            LxdNetwork(id=names["bridge"], absent=True),
            LxdStoragePool(id=names["pool"], absent=True),
            Firewall(table=f"berth_{names['project']}", absent=True),
        )
        apply(Spec(gone), here).check()
    assert [_firsts(here, each) for each in asked] == before


def test_a_gateway_that_is_none_is_refused() -> None:
    with pytest.raises(SpecError, match="gateway: 'here'"):
        lxd_host(gateway="here")
