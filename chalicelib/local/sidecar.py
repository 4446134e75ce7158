"""Starts, readies and stops the Step Functions sidecar, for tests of the state machines.

`sidecar_main.py` is the server; this file is its other half, in our own interpreter.
"""

import json
import os
import socket
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from chalicelib.clock import SteadyClock
from chalicelib.errors import LocalStackError, NotReadyError
from chalicelib.wait import WaitPolicy

__all__ = ["Sidecar"]

_MAIN = Path(__file__).with_name("sidecar_main.py")
_STOP_S = 5
_ANSWERS_OR_ENDED = WaitPolicy(
    name="an answer of the sidecar",
    sleep=timedelta(milliseconds=50),
    timeout=timedelta(seconds=30),
)
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
        process: the server.
    """

    url: str
    process: subprocess.Popen[bytes]

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
        port = _free_port()
        command = [str(python), "-u", str(_MAIN), "--port", str(port), "--tasks-url", tasks_url]
        with log.open("wb") as output:
            # Its own session: Ctrl-C in the terminal goes to us, and we stop it in order.
            process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
            )
        sidecar = cls(url=f"http://127.0.0.1:{port}", process=process)
        try:
            sidecar._ready(log)
        except BaseException:
            sidecar.stop()
            raise
        return sidecar

    def stop(self) -> None:
        """End the server; executions end with it. Safe to repeat."""
        self.process.terminate()
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _ready(self, log: Path) -> None:
        def answers_or_ended() -> str | None:
            ended = self.process.poll() is not None
            return "answers" if self._answers() else "ended" if ended else None

        try:
            state = _ANSWERS_OR_ENDED.wait(answers_or_ended, clock=SteadyClock())
        except NotReadyError as error:
            raise _not_started(log) from error
        if state == "ended":
            raise _not_started(log)
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _environment() -> dict[str, str]:
    # Nothing of the caller's AWS settings or Python paths may reach the server.
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ
    }
    return kept | {"AWS_DEFAULT_REGION": "us-east-1", "PYTHONDONTWRITEBYTECODE": "1"}


def _not_started(log: Path) -> LocalStackError:
    return LocalStackError(
        reason=f"the Step Functions sidecar did not start: {_last_line(log)}",
        cure=f"read {log}",
    )


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
