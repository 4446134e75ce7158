"""moto's Step Functions interpreter as a server of its own, its tasks sent to another emulator.

Run by the Python of `.berth/sidecar`, as a file: it imports nothing of Berth's and nothing here runs
inside the stack. ministack never expires a heartbeat; this interpreter does, so the state machines are
tested on both. Test equipment: nothing of a running installation depends on it.

Each patch says what moto 5.2.5 gets wrong, and checks the text that it changes: another moto stops
here, at once and by name, instead of testing something else in silence.
"""

import argparse
import importlib.metadata
import inspect
import sys
import threading
from collections.abc import Callable
from typing import Any

import boto3
import moto.server
import moto.stepfunctions.parser.models  # loads every module that makes clients
from botocore.config import Config
from jsonata import Jsonata
from moto.stepfunctions import responses
from moto.stepfunctions.parser.asl.eval.callback.callback import CallbackEndpoint
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.program_state import ProgramStopped
from moto.stepfunctions.parser.asl.jsonata import jsonata
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker

__all__ = ["main"]

_MOTO = "5.2.5"
# Beyond Lambda's own limit of 15 minutes, so that the task's time-out is the one that ends it.
_LONGEST_TASK_S = 910


def main() -> None:
    """Patch moto, then serve until SIGTERM."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--tasks-url", required=True, help="the emulator that has the functions")
    given = arguments.parse_args()
    found = importlib.metadata.version("moto")
    if found != _MOTO:
        raise SystemExit(f"these patches are for moto {_MOTO}, not {found}: read them again first")
    _evaluate_jsonata_in_python()
    _send_tasks_to(given.tasks_url, itself=f"http://127.0.0.1:{given.port}")
    _keep_the_cause_of_a_failure()
    _accept_a_result_before_dispatch_returns()
    _end_a_wait_when_stopped()
    moto.server.main(["-H", "127.0.0.1", "-p", str(given.port)])


def _evaluate_jsonata_in_python() -> None:
    """Give the interpreter a JSONata evaluator: it ships none, and JSONPath variables need one too."""
    _expect(jsonata.eval_jsonata_expression, "return _eval_jsonata(jsonata_expression)")

    def evaluate(expression: str) -> Any:
        try:
            return Jsonata(expression).evaluate(None)
        except Exception as error:
            raise jsonata.JSONataException("UNKNOWN", str(error)) from error

    jsonata._eval_jsonata = evaluate  # noqa: SLF001 - the hook that the module leaves for it


def _send_tasks_to(url: str, *, itself: str) -> None:
    """Make every task call `url`, and nested executions `itself`: moto would call its own services."""
    config = Config(
        parameter_validation=False,
        retries={"total_max_attempts": 1},  # a task's retries are the state machine's business
        read_timeout=_LONGEST_TASK_S,
    )
    make: Any = boto3.client  # its type lists every service by name; ours comes from the definition
    clients: dict[tuple[str, str], Any] = {}
    lock = threading.Lock()

    def client_for(region: str, service: str, state_credentials: Any = None) -> Any:  # noqa: ARG001 - callers name it
        # Kept: making one takes longer than the call, and boto3's default session is not thread-safe.
        with lock:
            if (region, service) not in clients:
                clients[region, service] = make(
                    service,
                    region_name=region,
                    endpoint_url=itself if service == "stepfunctions" else url,
                    aws_access_key_id="test",
                    aws_secret_access_key="test",  # noqa: S106 - the emulator's root account
                    config=config,
                )
            return clients[region, service]

    patched = 0
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.stepfunctions.parser") and hasattr(module, "boto_client_for"):
            setattr(module, "boto_client_for", client_for)  # noqa: B010 - no type knows this module
            patched += 1
    # 13 in 5.2.5. Fewer would mean that some task still calls moto's own services.
    _require(patched >= 13, "the places that make clients for tasks")  # noqa: PLR2004


def _keep_the_cause_of_a_failure() -> None:
    """Make SendTaskFailure pass its cause on; the server's answer drops it."""
    response = responses.StepFunctionResponse
    _expect(response.send_task_failure, "send_task_failure(task_token, error=error)")

    def send_task_failure(self: Any) -> Any:
        self.stepfunction_backend.send_task_failure(
            self._get_param("taskToken"),
            error=self._get_param("error"),
            cause=self._get_param("cause"),
        )
        return responses.EmptyResult()

    response.send_task_failure = send_task_failure


def _accept_a_result_before_dispatch_returns() -> None:
    """Make a result that comes before the dispatching Lambda has returned count at once.

    The wait looks at heartbeats first, and such a result came before there was anybody to tell: it
    would lie there until the heartbeat expires, and then be thrown away.
    """
    _expect(CallbackEndpoint.notify, "self._notify_event.set()")
    set_up: Callable[..., Any] = CallbackEndpoint.setup_heartbeat_endpoint

    def setup_heartbeat_endpoint(self: Any, heartbeat_seconds: int) -> Any:
        heartbeats = set_up(self, heartbeat_seconds)
        if self.get_outcome() is not None:
            heartbeats.notify()
        return heartbeats

    CallbackEndpoint.setup_heartbeat_endpoint = setup_heartbeat_endpoint


def _end_a_wait_when_stopped() -> None:
    """Make StopExecution end an execution that waits for a token: it would stay RUNNING for ever.

    Waking the wait is half of it; the wait then ends in an error, which must not turn the stopped
    execution into a failed one.
    """
    _expect(
        ExecutionWorker.stop, "self.env.set_stop(stop_date=stop_date, cause=cause, error=error)"
    )
    _expect(Environment.set_error, "self._program_state = ProgramError(error=error)")
    stop: Callable[..., None] = ExecutionWorker.stop
    set_error: Callable[..., None] = Environment.set_error

    def stop_and_wake(self: Any, **request: Any) -> None:
        stop(self, **request)
        for waiting in list(self.env.callback_pool_manager._pool.values()):  # noqa: SLF001 - no reader
            waiting.interrupt_all()

    def set_error_unless_stopped(self: Any, error: Any) -> None:
        if not isinstance(self.program_state(), ProgramStopped):
            set_error(self, error)

    ExecutionWorker.stop = stop_and_wake
    Environment.set_error = set_error_unless_stopped


def _expect(function: Callable[..., Any], text: str) -> None:
    _require(inspect.getsource(function).count(text) == 1, f"{function.__qualname__}: {text}")


def _require(found: bool, what: str) -> None:  # noqa: FBT001 - an assertion that -O keeps
    if not found:
        raise SystemExit(f"moto {_MOTO} does not read as these patches expect: {what}")


if __name__ == "__main__":
    main()
