"""A second stack has its own folder, ports and LXD project."""

from pathlib import Path

import pytest

from chalicelib.errors import SettingError
from chalicelib.local.places import ROOT, Places


def test_the_first_stack_is_in_the_repository() -> None:
    places = Places.from_environment({})

    assert (places.home, places.url) == (ROOT / ".berth", "http://127.0.0.1:8700")
    assert places.lxd_project.startswith("berth-")


def test_a_second_stack_shares_nothing_with_the_first(tmp_path: Path) -> None:
    first = Places.from_environment({})

    second = Places.from_environment({"BERTH_STATE_DIR": str(tmp_path), "BERTH_PORT": "9000"})

    assert second.lxd_project not in {"", first.lxd_project}
    assert {second.port, second.forge_port, second.emulator_port} == {9000, 9001, 9002}
    for folder in (second.logs, second.state, second.processes, second.repositories, second.host):
        assert folder.is_relative_to(tmp_path)


@pytest.mark.parametrize("port", ["http", "0", "-1", "65534", "1.5"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(SettingError, match="BERTH_PORT"):
        Places.from_environment({"BERTH_PORT": port})
