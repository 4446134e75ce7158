from pathlib import Path

import pytest

from chalicelib.errors import HostUnreachableError
from chalicelib.fleet.lxd_api import LxdApi


def test_an_lxd_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    """Whatever its client raises is caught: `tests/transport/test_lxd_errors.py` holds that list."""
    api = LxdApi(str(tmp_path / "none.socket"), host="host-1", project="berth")

    with pytest.raises(HostUnreachableError) as caught:
        api.get("instances")

    assert caught.value.host == "host-1"
