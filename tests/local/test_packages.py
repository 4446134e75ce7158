"""What a command needs of the system, and how it would be installed."""

from pathlib import Path

import pytest

from chalicelib.local import packages


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
