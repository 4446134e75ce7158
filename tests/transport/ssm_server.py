"""SSM at its wire, and an agent behind it that really runs what is sent. Test equipment.

The agent does what amazon-ssm-agent does to a script and to what it prints, see `ssm_script`; time
is scaled down by counting requests, where the service counts minutes.
"""

import json
import os
import signal
import subprocess
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["INSTANCE", "Faults", "SsmServer", "running_ssm"]

INSTANCE = "i-0123456789abcdef0"
_WORKERS = 5
_STDOUT_CHARACTERS = 24_000
_STDERR_CHARACTERS = 8_000
_CUT = "--output truncated--"
_STARTED = "2026-01-01T00:00:00.000Z"
_PLUGIN = "awsrunShellScript/0.awsrunShellScript"


@dataclass(kw_only=True)
class Faults:
    """What goes wrong, until it is set otherwise. Numbers are used up.

    Attributes:
        throttled: so many requests are refused for their rate.
        broken: so many requests end in an internal error.
        dropped: so many SendCommands are taken and never answered.
        denied: every request is refused for lack of a permission.
        unheard: so many times a command is asked for in vain, once it is sent.
        pending: so many times it is then found pending.
        copies: how often each command is delivered, at once.
        delivered: False keeps commands from the host.
        expired: what a command ends as that does not arrive, or of which nothing is heard; "" leaves
            it as it is.
        silent: the agent starts commands, and is not heard of again.
        killed: so many scripts meet the agent's time-out after a second, whatever was asked for.
        no_upload: the agent may not write to the bucket.
    """

    throttled: int = 0
    broken: int = 0
    dropped: int = 0
    denied: bool = False
    unheard: int = 1
    pending: int = 1
    copies: int = 1
    delivered: bool = True
    expired: str = ""
    silent: bool = False
    killed: int = 0
    no_upload: bool = False


@dataclass
class _Command:
    """One command, and the answer that it gets when it is asked for."""

    id: str
    request: dict[str, Any]
    looks: int = 0
    status: str = "Pending"
    details: str = "Pending"
    started: str = ""
    code: int = -1
    stdout: str = ""
    stderr: str = ""
    url: str = ""
    cancelled: bool = False
    running: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def answer(self) -> dict[str, Any]:
        return {
            "CommandId": self.id,
            "InstanceId": INSTANCE,
            "DocumentName": "AWS-RunShellScript",
            "PluginName": "aws:runShellScript",
            "ResponseCode": self.code,
            "ExecutionStartDateTime": self.started,
            "Status": self.status,
            "StatusDetails": self.details,
            "StandardOutputContent": self.stdout,
            "StandardOutputUrl": self.url,
            "StandardErrorContent": self.stderr,
            "StandardErrorUrl": "",
        }


class _ServiceError(Exception):
    def __init__(self, code: str, message: str = "", status: int = 400) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message, status


class SsmServer:
    """A running server, with one host."""

    def __init__(self, folder: Path, s3: "S3Client | None", environment: Mapping[str, str]) -> None:
        self.faults = Faults()
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.ended: list[str] = []
        """The status of each script that has ended on the host, in order."""
        self._folder = folder
        self._s3 = s3
        self._environment = environment
        self._commands: dict[str, _Command] = {}
        self._lock = threading.RLock()
        self._workers = threading.Semaphore(_WORKERS)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def start(self) -> None:
        """Serve, in a thread of its own."""
        serve = self._http.serve_forever
        threading.Thread(target=serve, args=(0.02,), name="ssm", daemon=True).start()

    def stop(self) -> None:
        """Serve no more; what still runs on the host is killed, as far as the agent knows it."""
        self._http.shutdown()
        self._http.server_close()
        for command in self._commands.values():
            self._kill(command)

    def count(self, operation: str) -> int:
        """Return how often that was asked for."""
        return sum(name == operation for name, _ in self.requests)

    def answered(self, operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer to a request; None drops the connection."""
        with self._lock:
            self.requests.append((operation, request))
            self._fail()
            match operation:
                case "SendCommand":
                    return self._send(request)
                case "GetCommandInvocation":
                    return self._look(request)
                case "CancelCommand":
                    return self._cancel(request)
                case "DescribeInstanceInformation":
                    listed = [{"InstanceId": INSTANCE, "PingStatus": "Online"}]
                    return {"InstanceInformationList": listed}
                case _:
                    raise _ServiceError("UnknownOperationException")

    def _fail(self) -> None:
        faults = self.faults
        if faults.denied:
            raise _ServiceError("AccessDeniedException", "User: x is not authorized to perform y")
        if faults.throttled:
            faults.throttled -= 1
            raise _ServiceError("ThrottlingException", "Rate exceeded")
        if faults.broken:
            faults.broken -= 1
            raise _ServiceError("InternalServerError", status=500)

    def _send(self, request: dict[str, Any]) -> dict[str, Any] | None:
        if request["InstanceIds"] != [INSTANCE]:
            raise _ServiceError("InvalidInstanceId", "Instances not in a valid state for account")
        if len(json.dumps(request["Parameters"])) > 2 * 64 * 1024:
            raise _ServiceError("MaxDocumentSizeExceeded")
        command = _Command(str(uuid.uuid4()), request)
        self._commands[command.id] = command
        for _ in range(self.faults.copies if self.faults.delivered else 0):
            run = threading.Thread(target=self._run, args=(command,), name="ssm-agent", daemon=True)
            run.start()
        if self.faults.dropped:
            self.faults.dropped -= 1
            return None
        return {"Command": {"CommandId": command.id, "Status": "Pending"}}

    def _look(self, request: dict[str, Any]) -> dict[str, Any]:
        command = self._commands.get(request["CommandId"])
        if command is None or request["InstanceId"] != INSTANCE:
            raise _ServiceError("InvocationDoesNotExist")
        command.looks += 1
        if command.looks <= self.faults.unheard:
            raise _ServiceError("InvocationDoesNotExist")
        if command.looks <= self.faults.unheard + self.faults.pending and not command.cancelled:
            return _Command(command.id, command.request).answer()
        lost = {"Pending": not self.faults.delivered, "InProgress": self.faults.silent}
        if self.faults.expired and lost.get(command.status):
            command.status, command.details = "TimedOut", self.faults.expired
        return command.answer()

    def _cancel(self, request: dict[str, Any]) -> dict[str, Any]:
        command = self._commands.get(request["CommandId"])
        if command is None:
            raise _ServiceError("InvalidCommandId")
        command.cancelled = True
        if command.status == "Pending":
            command.status = command.details = "Cancelled"
        elif command.status == "InProgress":
            command.status = command.details = "Cancelling"
            self._kill(command)
        return {}

    def _kill(self, command: _Command) -> None:
        for process in command.running:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def _run(self, command: _Command) -> None:
        with self._workers:
            process = self._started(command)
            if process is None:
                return
            limit_s = self._limit_s(command)
            timed_out = False
            try:
                out, err = process.communicate(timeout=limit_s)
            except subprocess.TimeoutExpired:
                timed_out = True
                self._kill(command)
                out, err = process.communicate()
            self._report(command, process.returncode, out, err, timed_out=timed_out)

    def _limit_s(self, command: _Command) -> int:
        with self._lock:
            if self.faults.killed:
                self.faults.killed -= 1
                return 1
        return int(command.request["Parameters"]["executionTimeout"][0])

    def _started(self, command: _Command) -> "subprocess.Popen[bytes] | None":
        with self._lock:
            if command.cancelled:
                return None
            path = self._folder / f"{command.id}-{len(command.running)}" / "_script.sh"
            path.parent.mkdir(parents=True)
            path.write_text("\n".join(command.request["Parameters"]["commands"]) + "\n")
            path.chmod(0o700)
            process = subprocess.Popen(
                ["sh", "-c", str(path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=path.parent,
                env={**self._environment, "AWS_SSM_INSTANCE_ID": INSTANCE},
                process_group=0,
            )
            command.running.append(process)
            command.status = command.details = "InProgress"
            command.started = _STARTED
            return process

    def _report(
        self, command: _Command, code: int, out: bytes, err: bytes, *, timed_out: bool
    ) -> None:
        if code and not timed_out and not command.cancelled:
            told = f"exit status {code}" if code > 0 else "signal: killed"
            err += f"failed to run commands: {told}".encode()
        url = self._uploaded(command, out)
        with self._lock:
            if self.faults.silent:
                return
            command.stdout = _cut(out, _STDOUT_CHARACTERS)
            command.stderr = _cut(err, _STDERR_CHARACTERS)
            command.url, command.code = url, code
            if command.cancelled:
                command.status = command.details = "Cancelled"
            elif timed_out:
                command.status, command.details = "TimedOut", "ExecutionTimedOut"
            else:
                command.status = command.details = "Failed" if code else "Success"
            self.ended.append(command.status)

    def _uploaded(self, command: _Command, out: bytes) -> str:
        bucket = command.request.get("OutputS3BucketName")
        if not bucket or not out:
            return ""
        prefix = command.request["OutputS3KeyPrefix"]
        key = f"{prefix}/{command.id}/{INSTANCE}/{_PLUGIN}/stdout"
        if self._s3 is not None and not self.faults.no_upload:
            with suppress(ClientError):  # the agent only logs it
                self._s3.put_object(Bucket=bucket, Key=key, Body=out)
        return f"https://s3.us-east-1.amazonaws.com/{bucket}/{key}"


def _cut(output: bytes, limit: int) -> str:
    text = output.decode(errors="replace")
    return text if len(text) <= limit else text[: limit - len(_CUT)] + _CUT


def _handler(server: SsmServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body go out apart, and the body would wait 40 ms

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            operation = self.headers["X-Amz-Target"].removeprefix("AmazonSSM.")
            try:
                answer = server.answered(operation, body)
            except _ServiceError as error:
                self._say(error.status, {"__type": error.code, "message": error.message})
                return
            if answer is None:
                self.close_connection = True
                return
            self._say(200, answer)

        def _say(self, status: int, answer: dict[str, Any]) -> None:
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_args: object) -> None:
            return

    return Handler


@contextmanager
def running_ssm(
    folder: Path, *, s3: "S3Client | None", environment: Mapping[str, str]
) -> Iterator[SsmServer]:
    """Run a server.

    Args:
        folder: where its agent keeps scripts.
        s3: what its agent uploads with.
        environment: of its agent.
    """
    server = SsmServer(folder, s3, environment)
    server.start()
    try:
        yield server
    finally:
        server.stop()
