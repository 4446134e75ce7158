"""Fixtures that every test folder may use: the emulator, and an account in it."""

import itertools
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import settings
from pynamodb.connection import Connection

from chalicelib.errors import HostUnreachableError
from chalicelib.fleet.lxd_api import LxdApi
from chalicelib.local import lxd_daemon
from chalicelib.local.emulator import Emulator, account_environment
from chalicelib.local.lxd import prepare, remove_project, shut_down
from chalicelib.local.ports import free_port
from chalicelib.local.progress import Progress
from tests.kernel_machine import KernelTransport, kernel_machine
from tests.lxd_site import LxdSite

# A change must not be refused for an example that it did not bring: where it is judged, the examples
# are the same each time. Everywhere else they are new with each run, and find what is still there.
settings.register_profile("judged", derandomize=True, deadline=None)
settings.register_profile("searching", deadline=None)
settings.load_profile("judged" if os.environ.get("CI") else "searching")

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


@pytest.fixture(scope="session")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelTransport]:
    """A machine with a kernel of its own, for what no container may do."""
    with kernel_machine(tmp_path_factory.mktemp("kernel")) as machine:
        yield machine


_LXD_STATE = _ROOT / ".berth/state"
"""Shared with the stack, so that the image is made once."""
_LXD_PROJECT = "berth-test-"


@pytest.fixture(scope="session")
def lxd() -> Iterator[LxdSite]:
    """The machine's LXD, started if it does not run, with a project of this test run's own."""
    ours = lxd_daemon.find_socket() is None
    project = f"{_LXD_PROJECT}{os.getpid()}"
    facts = prepare(
        _LXD_STATE, Progress(), project=project, slots=2, images=_ROOT / ".berth/images"
    )
    api = LxdApi(facts.socket, host="this machine", project=project)
    try:
        _remove_leftovers(api)
        yield LxdSite(facts=facts, api=api)
    finally:
        remove_project(facts.socket, project)
        if ours:
            shut_down(_LXD_STATE)


def _remove_leftovers(api: LxdApi) -> None:
    """Remove the projects of test runs that were killed."""
    for found in api.get("projects", recursion="1"):
        pid = found["name"].removeprefix(_LXD_PROJECT)
        if pid != found["name"] and not Path(f"/proc/{pid}").exists():
            with suppress(HostUnreachableError):
                remove_project(str(lxd_daemon.find_socket()), found["name"])
