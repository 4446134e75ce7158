"""Fixtures that every test folder may use: the emulator, and an account in it."""

import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from pynamodb.connection import Connection

from chalicelib.local.emulator import Emulator, account_environment, free_port

_ROOT = Path(__file__).resolve().parent.parent
_accounts = itertools.count(100_000_000_000)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A running, empty ministack that forgets everything; started when first asked for."""
    folder = tmp_path_factory.mktemp("emulator")
    running = Emulator(
        python=_ROOT / ".berth/ministack/bin/python",
        port=free_port(),
        folder=folder,
        log=folder / "emulator.log",
        persistent=False,
    )
    running.start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def emulator_url(emulator: Emulator) -> str:
    """The endpoint of every AWS service, on loopback."""
    return emulator.url


@pytest.fixture
def aws_account(emulator_url: str) -> Iterator[Mapping[str, str]]:
    """A fresh, empty AWS account; this process's SDKs use it until the test ends.

    Returns the variables, for programs that the test starts.
    """
    wanted = account_environment(emulator_url, account=str(next(_accounts)))
    saved = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield wanted
    finally:
        for name, value in saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@pytest.fixture
def data_table(aws_account: Mapping[str, str]) -> str:
    """The name of an empty table in a fresh account, as `cloudformation/data.yaml` declares it."""
    template = yaml.safe_load((_ROOT / "cloudformation/data.yaml").read_text())
    declared = template["Resources"]["QueueTable"]["Properties"]
    taken = ("AttributeDefinitions", "BillingMode", "GlobalSecondaryIndexes", "KeySchema")
    name = f"berth-{aws_account['AWS_ACCESS_KEY_ID']}"
    # pynamodb's connection and not boto3's client: boto3 keeps the first account's credentials.
    Connection().dispatch(
        "CreateTable", {"TableName": name, **{key: declared[key] for key in taken}}
    )
    return name
