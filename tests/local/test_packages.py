"""What a command needs of the system, and how it would be installed."""

import os
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

from chalicelib.errors import LocalStackError
from chalicelib.local import packages
from chalicelib.local.places import ROOT

_NOBODY = 65_534


def test_debian_installs_all_by_apt() -> None:
    commands = packages.install_commands(["lxd", "lxd-client", "git"], lxd_is_a_snap=False)

    assert commands == [["apt-get", "install", "-y", "lxd", "lxd-client", "git"]]


def test_ubuntu_installs_lxd_as_a_snap_once() -> None:
    commands = packages.install_commands(["lxd", "lxd-client"], lxd_is_a_snap=True)

    assert commands == [["snap", "install", "lxd"]]


@pytest.mark.parametrize("command", ["status", "down", "doctor", ""])
def test_looking_needs_no_program(command: str) -> None:
    assert packages.missing(command) == []


def test_a_program_is_found_where_only_root_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    found = packages.find_program("ldconfig")

    assert found
    assert "sbin" in found


def test_without_root_the_one_command_to_run_is_said() -> None:
    was = os.geteuid()
    if was == 0:
        os.seteuid(_NOBODY)
    try:
        with pytest.raises(LocalStackError) as caught:
            packages.ensure_named(["btrfs-progs", "debootstrap"])
    finally:
        os.seteuid(was)

    assert caught.value.cure == "sudo apt-get install -y btrfs-progs debootstrap"


def test_a_system_without_apt_is_told_what_to_install_or_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(LocalStackError) as caught:
        packages.ensure_named(["btrfs-progs"])

    assert "has no apt-get" in caught.value.reason
    assert "Debian 12" in caught.value.cure


@pytest.mark.parametrize(("system", "named"), [("Darwin", "Lima"), ("Windows", "WSL 2")])
def test_a_system_that_cannot_is_told_at_once_what_to_use(system: str, named: str) -> None:
    loader = SourceFileLoader("launcher", str(ROOT / "berth"))
    spec = spec_from_loader("launcher", loader)
    assert spec is not None
    launcher = module_from_spec(spec)
    loader.exec_module(launcher)

    refusal = launcher.unsupported(system)

    assert system in refusal
    assert named in refusal
    assert launcher.unsupported("Linux") == ""
