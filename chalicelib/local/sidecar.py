"""Starts, readies and stops the Step Functions sidecar, for tests of the state machines.

`sidecar_main.py` is the server; this file is its other half, in our own interpreter.
"""

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from chalicelib.clock import SteadyClock
from chalicelib.errors import LocalStackError, NotReadyError
from chalicelib.local import processes
from chalicelib.local.ports import free_port
from chalicelib.wait import WaitPolicy

__all__ = ["Sidecar"]

_MAIN = Path(__file__).with_name("sidecar_main.py")
_START_S, _STOP_S = 30, 5
_PROBE_ENDED = WaitPolicy(
    name="the end of the probe",
    sleep=timedelta(milliseconds=20),
    timeout=timedelta(seconds=_STOP_S),
    success=lambda status: status != "RUNNING",
)
# Fails when it is run. An interpreter that only pretends reports SUCCEEDED, or RUNNING for ever.
_PROBE = {"StartAt": "RefuseAll", "States": {"RefuseAll": {"Type": "Fail", "Error": "Probe"}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """A running sidecar. It keeps nothing: a stopped one forgets its state machines.

    Attributes:
        url: where Step Functions clients reach it (`AWS_ENDPOINT_URL_SFN`); no final slash.
        name: of its process, as `processes` knows it.
        folder: where that is recorded.
    """

    url: str
    name: str
    folder: Path

    @classmethod
    def start(cls, *, python: Path, tasks_url: str, log: Path) -> "Sidecar":
        """Return a sidecar that runs executions, on a free port of 127.0.0.1.

        Args:
            python: interpreter of the environment made from `requirements-sidecar.txt`.
            tasks_url: the emulator that its tasks call.
            log: file for what the server prints; replaced.

        Raises:
            LocalStackError: there is no such interpreter, or the server doesn't come up, or it comes
                up without running executions.
        """
        if not python.exists():
            raise LocalStackError(reason=f"{python} is missing", cure="./berth test makes it")
        port = free_port()
        url, folder = f"http://127.0.0.1:{port}", log.parent
        server = processes.start(
            [str(python), "-u", str(_MAIN), "--port", str(port), "--tasks-url", tasks_url],
            name=f"sidecar-{port}",
            folder=folder,
            log=log,
            environment=_environment(),
        )
        sidecar = cls(url=url, name=server.name, folder=folder)
        try:
            processes.wait_ready(server, sidecar._answers, log=log, limit_s=_START_S)
            sidecar._check_that_it_runs_executions(log)
        except BaseException:
            sidecar.stop()
            raise
        return sidecar

    def stop(self) -> None:
        """End the server; executions end with it. Safe to repeat."""
        processes.stop(self.name, self.folder, grace_s=_STOP_S)

    def _check_that_it_runs_executions(self, log: Path) -> None:
        if not self._runs_executions():
            raise LocalStackError(
                reason="the Step Functions sidecar answers, but does not run executions",
                cure=f"compare moto's version with requirements-sidecar.txt; read {log}",
            )

    def _answers(self) -> bool:
        # moto reports every execution as succeeded without running it unless this is set. It doesn't
        # tell the setting back: hence the probe.
        wanted = {"stepfunctions": {"execute_state_machine": True}}
        try:
            self._post("/moto-api/config", wanted, headers={})
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return True

    def _runs_executions(self) -> bool:
        machine = self._call(
            "CreateStateMachine",
            {
                "name": "probe",
                "definition": json.dumps(_PROBE),
                "roleArn": "arn:aws:iam::123456789012:role/probe",
            },
        )["stateMachineArn"]
        started = self._call("StartExecution", {"stateMachineArn": machine, "name": "probe"})

        def status() -> str:
            found = self._call("DescribeExecution", {"executionArn": started["executionArn"]})
            return str(found["status"])

        try:
            runs = _PROBE_ENDED.wait(status, clock=SteadyClock()) == "FAILED"
        except NotReadyError:
            runs = False
        self._call("DeleteStateMachine", {"stateMachineArn": machine})
        return runs

    def _call(self, action: str, request: dict[str, Any]) -> dict[str, Any]:
        scope = "Credential=test/20260101/us-east-1/states/aws4_request"
        headers = {
            "X-Amz-Target": f"AWSStepFunctions.{action}",
            "Content-Type": "application/x-amz-json-1.0",
            "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
        }
        return self._post("/", request, headers=headers)

    def _post(self, path: str, body: dict[str, Any], *, headers: dict[str, str]) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - always our own loopback address
            self.url + path, data=json.dumps(body).encode(), headers=headers, method="POST"
        )
        with urllib.request.urlopen(request, timeout=_STOP_S) as response:  # noqa: S310 - as above
            text = response.read()
        answer: dict[str, Any] = json.loads(text) if text else {}
        return answer


def _environment() -> dict[str, str]:
    # Nothing of the caller's AWS settings or Python paths may reach the server.
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ
    }
    return kept | {"AWS_DEFAULT_REGION": "us-east-1", "PYTHONDONTWRITEBYTECODE": "1"}
