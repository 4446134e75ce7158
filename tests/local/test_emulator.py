"""The emulator starts, is isolated per account, keeps state when told, and carries its patches."""

import io
import json
import os
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from chalicelib.errors import LocalStackError
from chalicelib.local.emulator import Emulator, account_environment
from chalicelib.local.ports import free_port
from chalicelib.shell import command
from chalicelib.transport import LocalTransport, Result

_ROOT = Path(__file__).resolve().parents[2]
_PYTHON = _ROOT / ".berth/ministack/bin/python"
_MAIN = _ROOT / "chalicelib/local/emulator_main.py"
_ROLE = "arn:aws:iam::000000000000:role/any"


@pytest.fixture
def lasting(tmp_path: Path) -> Iterator[Emulator]:
    """An emulator that keeps its state under the test's folder; not started yet."""
    emulator = Emulator(
        python=_PYTHON,
        port=free_port(),
        folder=tmp_path / "emulator",
        log=tmp_path / "emulator.log",
        persistent=True,
    )
    try:
        yield emulator
    finally:
        emulator.stop()


def _client(service: Any, variables: Mapping[str, str]) -> Any:
    return boto3.client(
        service,
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name=variables["AWS_REGION"],
    )


def _secret_names(variables: Mapping[str, str]) -> list[str]:
    found = _client("secretsmanager", variables).list_secrets()["SecretList"]
    return [secret["Name"] for secret in found]


def _function(client: Any, source: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", source)
    client.create_function(
        FunctionName="probe",
        Runtime="python3.11",
        Handler="app.handler",
        Role=_ROLE,
        Code={"ZipFile": packed.getvalue()},
    )


def test_accounts_share_nothing(emulator_url: str, aws_account: Mapping[str, str]) -> None:
    other = account_environment(emulator_url, account="999999999999")

    _client("secretsmanager", aws_account).create_secret(Name="mine", SecretString="x")

    assert _secret_names(aws_account) == ["mine"]
    assert "mine" not in _secret_names(other)


def test_it_listens_on_loopback_only(emulator: Emulator) -> None:
    suffix = f":{emulator.port:04X}"

    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    listening = {row.split()[1] for row in rows if row.split()[3] == "0A"}

    assert {address for address in listening if address.endswith(suffix)} == {f"0100007F{suffix}"}


def test_state_survives_a_graceful_stop(lasting: Emulator) -> None:
    variables = account_environment(lasting.url)
    lasting.start()
    _client("secretsmanager", variables).create_secret(Name="kept", SecretString="x")

    graceful = lasting.stop()
    lasting.start()

    assert graceful
    assert _secret_names(variables) == ["kept"]


def test_a_snapshot_survives_a_kill(lasting: Emulator) -> None:
    variables = account_environment(lasting.url)
    lasting.start()
    _client("secretsmanager", variables).create_secret(Name="before", SecretString="x")
    saved = lasting.snapshot()
    _client("secretsmanager", variables).create_secret(Name="after", SecretString="x")

    lasting.kill()
    lasting.start()

    assert saved
    assert _secret_names(variables) == ["before"]


_KILLED_BETWEEN = """
import os, runpy, sys
from ministack.core import persistence
main = runpy.run_path(sys.argv[1])
services = {"kept": lambda: None, "first": lambda: {"at": 1}, "second": lambda: {"at": 1}}
persistence.save_state("kept", {"at": 0})
main["_save_set"](services)
services |= {"first": lambda: {"at": 2}, "second": lambda: os.kill(os.getpid(), 9)}
main["_save_set"](services)
"""
_AFTERWARDS = """
import runpy, sys
from ministack.core import persistence
runpy.run_path(sys.argv[1])["_save_as_a_set"]()
print([persistence.load_state(name) for name in ("kept", "first", "second")])
"""


def test_state_that_is_killed_in_mid_write_is_the_set_before(tmp_path: Path) -> None:
    """Services of different moments would contradict each other."""
    environment = {"PERSIST_STATE": "1", "STATE_DIR": str(tmp_path / "state"), "PATH": os.defpath}
    here = LocalTransport(environment=environment)

    def run(code: str) -> Result:
        return here.run(command(_PYTHON, "-c", code, _MAIN), check=False)

    assert run(_KILLED_BETWEEN).exit_status == 137
    assert run(_AFTERWARDS).lines[-1:] == ["[{'at': 0}, {'at': 1}, {'at': 1}]"]
    assert [each.name[:4] for each in (tmp_path / "state").iterdir()].count("part") == 0


def test_starting_twice_starts_one_process(lasting: Emulator) -> None:
    lasting.start()
    first = lasting.pid

    lasting.start()

    assert lasting.pid == first


def test_a_taken_port_names_its_holder_and_the_cure(emulator: Emulator, tmp_path: Path) -> None:
    second = Emulator(
        python=_PYTHON,
        port=emulator.port,
        folder=tmp_path,
        log=tmp_path / "emulator.log",
        persistent=False,
    )

    with pytest.raises(LocalStackError, match=rf"pid {emulator.pid}") as caught:
        second.start()

    assert "BERTH_PORT" in caught.value.cure


def test_a_missing_interpreter_is_told_with_the_cure(tmp_path: Path) -> None:
    absent = Emulator(
        python=tmp_path / "python",
        port=free_port(),
        folder=tmp_path,
        log=tmp_path / "emulator.log",
        persistent=False,
    )

    with pytest.raises(LocalStackError, match="no ministack") as caught:
        absent.start()

    assert "./berth up" in caught.value.cure


def test_an_interpreter_without_ministack_is_told_with_its_last_words(tmp_path: Path) -> None:
    broken = Emulator(
        python=Path("/bin/false"),
        port=free_port(),
        folder=tmp_path,
        log=tmp_path / "emulator.log",
        persistent=False,
    )

    with pytest.raises(LocalStackError, match="emulator ended"):
        broken.start()


def test_an_exception_is_reported_by_its_class(aws_account: Mapping[str, str]) -> None:
    client = _client("lambda", aws_account)
    _function(
        client,
        "class HostGone(Exception): ...\ndef handler(event, context):\n    raise HostGone('away')\n",
    )

    answer = client.invoke(FunctionName="probe", Payload=b"{}")

    body = json.loads(answer["Payload"].read())
    assert (body["errorType"], body["errorMessage"]) == ("HostGone", "away")


def test_a_worker_that_raised_is_kept(aws_account: Mapping[str, str]) -> None:
    client = _client("lambda", aws_account)
    _function(
        client,
        "calls = []\ndef handler(event, context):\n    calls.append(1)\n    raise KeyError(len(calls))\n",
    )

    messages = [
        json.loads(client.invoke(FunctionName="probe", Payload=b"{}")["Payload"].read())
        for _ in range(3)
    ]

    assert [message["errorMessage"] for message in messages] == ["1", "2", "3"]


def test_an_execution_ends_as_its_definition_says(aws_account: Mapping[str, str]) -> None:
    """The function that walks the states is ministack's own, less one pause."""
    client = _client("stepfunctions", aws_account)
    definition = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "Result": 7, "End": True}}}
    machine = client.create_state_machine(
        name="probe", definition=json.dumps(definition), roleArn=_ROLE
    )["stateMachineArn"]

    execution = client.start_execution(stateMachineArn=machine, name="one")["executionArn"]
    deadline = time.monotonic() + 10
    while (ended := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
        assert time.monotonic() < deadline

    assert (ended["status"], ended["output"]) == ("SUCCEEDED", "7")


def test_a_function_is_unpacked_once_for_all_its_workers(
    emulator: Emulator, aws_account: Mapping[str, str]
) -> None:
    client = _client("lambda", aws_account)
    _function(
        client, "import os\ndef handler(event, context):\n    return os.path.realpath(__file__)\n"
    )

    emulator.warm(workers=2)
    answer = client.invoke(FunctionName="probe", Payload=b"{}")

    path = Path(json.loads(answer["Payload"].read()))
    assert path.parent.parent == emulator.folder / "tmp/shared-code"
