"""The doctor finds what is amiss, names the cure, and changes nothing."""

import socket
from pathlib import Path

from chalicelib.local.diagnosis import examine
from chalicelib.local.places import Places
from chalicelib.local.ports import free_port


def _places(folder: Path, port: int) -> Places:
    return Places(home=folder / "not there yet", port=port, lxd_project="berth-test")


def test_all_is_looked_at(tmp_path: Path) -> None:
    names = {finding.name for finding in examine(_places(tmp_path, free_port()))}

    assert {"system", "rights", "programs", "cgroups", "lxd", "disk", "memory", "clock"} <= names


def test_a_taken_port_fails_and_names_the_cure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        found = {finding.name: finding for finding in examine(_places(tmp_path, port))}

    assert found[f"port {port}"].level == "fail"
    assert "BERTH_PORT" in found[f"port {port}"].cure


def test_whatever_is_amiss_has_a_cure(tmp_path: Path) -> None:
    for finding in examine(_places(tmp_path, free_port())):
        assert bool(finding.cure) == (finding.level != "ok"), finding


def test_nothing_is_made(tmp_path: Path) -> None:
    examine(_places(tmp_path, free_port()))

    assert not list(tmp_path.iterdir())
