"""The Step Functions sidecar as a process. What it interprets is tested in `tests/stepfunctions`."""

import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from chalicelib.errors import LocalStackError
from chalicelib.local.sidecar import Sidecar

pytestmark = pytest.mark.stack

_PYTHON = Path(__file__).resolve().parents[2] / ".berth/sidecar/bin/python"
_NOWHERE = "http://127.0.0.1:9"


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - our own loopback address
    except urllib.error.HTTPError:
        return True
    except urllib.error.URLError:
        return False
    return True


def test_a_missing_environment_names_the_cure(tmp_path: Path) -> None:
    with pytest.raises(LocalStackError, match=r"\./berth test"):
        Sidecar.start(python=tmp_path / "python", tasks_url=_NOWHERE, log=tmp_path / "log")


def test_a_server_that_dies_is_reported_with_its_last_words(tmp_path: Path) -> None:
    """Our own interpreter has no moto, as one whose installation broke off would not."""
    with pytest.raises(LocalStackError, match="No module named 'moto'"):
        Sidecar.start(python=Path(sys.executable), tasks_url=_NOWHERE, log=tmp_path / "log")


def test_it_stops_when_told_and_may_be_told_twice(tmp_path: Path) -> None:
    sidecar = Sidecar.start(python=_PYTHON, tasks_url=_NOWHERE, log=tmp_path / "log")
    try:
        assert answers(sidecar.url)
    finally:
        sidecar.stop()
        sidecar.stop()

    assert not answers(sidecar.url)


def test_an_interpreter_that_only_pretends_is_noticed(tmp_path: Path) -> None:
    """Without its switch moto reports executions that it never ran."""
    sidecar = Sidecar.start(python=_PYTHON, tasks_url=_NOWHERE, log=tmp_path / "log")
    try:
        switched_off = {"stepfunctions": {"execute_state_machine": False}}
        sidecar._post("/moto-api/config", switched_off, headers={})

        assert not sidecar._runs_executions()
    finally:
        sidecar.stop()
