"""Both interpreters of state machines, with the same functions behind them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib.local.sidecar import Sidecar
from tests.stepfunctions.stage import Functions, Stage

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def functions(emulator_url: str) -> Functions:
    """The recorded functions, on ministack."""
    return Functions.deploy(emulator_url)


@pytest.fixture(scope="session")
def sidecar(emulator_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    """The interpreter of moto, its tasks on ministack."""
    python = _ROOT / ".berth/sidecar/bin/python"
    log = tmp_path_factory.mktemp("sidecar") / "sidecar.log"
    running = Sidecar.start(python=python, tasks_url=emulator_url, log=log)
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(params=["ministack", "sidecar"])
def stage(request: pytest.FixtureRequest, functions: Functions) -> Stage:
    """One interpreter after the other."""
    if request.param == "ministack":
        return Stage(url=functions.url, functions=functions)
    sidecar: Sidecar = request.getfixturevalue("sidecar")
    return Stage(url=sidecar.url, functions=functions)
