import inspect
from pathlib import Path

import pytest
import requests
from pylxd import exceptions

from chalicelib.errors import HostUnreachableError
from chalicelib.fleet.lxd_api import LxdApi, foreign_errors


@pytest.mark.parametrize("module", [exceptions, requests.exceptions])
def test_every_foreign_error_is_translated(module: object) -> None:
    classes = [
        found
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, Exception) and not issubclass(found, Warning)
    ]
    # requests re-exports urllib3's root, which it always wraps.
    unmapped = {
        found.__name__
        for found in classes
        if not issubclass(found, foreign_errors())
        and found.__module__.startswith(("pylxd", "requests"))
    }

    assert classes
    assert unmapped == set()


def test_an_lxd_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    api = LxdApi(str(tmp_path / "none.socket"), host="host-1", project="berth")

    with pytest.raises(HostUnreachableError) as caught:
        api.get("instances")

    assert caught.value.host == "host-1"
