"""Runs ministack 1.5.33 with the patches that Berth needs. Run by the emulator's own interpreter.

Each patch names the fault it repairs and checks the text or value it replaces, so that another
version of ministack stops here with a sentence instead of going wrong later. Nothing of Berth may
be imported: the emulator's virtual environment does not have it.
"""

import asyncio
import hashlib
import inspect
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import ministack.services.lambda_svc as functions
import ministack.services.stepfunctions as machines
from ministack import app
from ministack.core import lambda_runtime as runtime
from ministack.core import persistence

__all__ = ["main"]

_WARM_PATH = "/_berth/warm"
_SNAPSHOT_PATH = "/_berth/snapshot"
_SNAPSHOT_LIMIT_S = 30.0
_SNAPSHOT_PERIOD_S = 10.0
_SNAPSHOT_SHARE = 20  # at most a twentieth of one processor goes into snapshots
_MOST_FILES = 65_536
_READING = {"GET", "HEAD", "OPTIONS"}
_tasks: set[asyncio.Task[None]] = set()
_written = asyncio.Event()

_prune = functions._prune_orphan_code_blobs
_blobs_in_use: list[set[str]] = []

_log = logging.getLogger("berth")
_invocation = threading.local()


def main() -> None:
    """Patch ministack and serve until SIGTERM."""
    _report_exception_classes()
    _run_dynamodb_tasks_on_the_loop()
    _fail_a_task_whose_dispatch_failed()
    _start_executions_at_once()
    _answer_without_waiting_for_log_lines()
    _share_unpacked_functions()
    _save_as_a_set()
    app.app = _with_own_paths(app.app)
    app.main()


def _expect(holds: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence at each call
    if not holds:
        sys.exit(
            f"berth: this ministack is not the one the patches were written for: {what}. "
            "Install what requirements-emulator.txt pins."
        )


def _report_exception_classes() -> None:
    """Let `Retry` and `Catch` see the class of a Lambda's exception, not `Runtime.HandlerError`.

    And keep the worker that raised: ministack kills it, and the next call would start cold; Lambda
    does not. So the worker says that it is well, and the failure is put back afterwards.
    """
    old = '"status": "error", "error": str(e), "trace": traceback.format_exc()'
    new = '"status": "ok", "error": str(e), "error_type": type(e).__name__, "trace": traceback.format_exc()'
    _expect(runtime._PYTHON_WORKER_SCRIPT.count(old) == 1, "the worker script reports errors anew")
    runtime._PYTHON_WORKER_SCRIPT = runtime._PYTHON_WORKER_SCRIPT.replace(old, new)
    invoke, execute = runtime.Worker.invoke, functions._execute_function_warm

    def invoke_and_remember(self: Any, *args: Any, **named: Any) -> Any:
        answer = invoke(self, *args, **named)
        if "error_type" in answer:
            answer["status"] = "error"
        _invocation.answer = answer
        return answer

    def execute_and_name_error(func: Any, event: Any, request_id: str) -> Any:
        _invocation.answer = None
        outcome = execute(func, event, request_id)
        answer = _invocation.answer or {}
        if outcome.get("error") and answer.get("error_type"):
            outcome["body"] = {
                "errorMessage": answer.get("error", ""),
                "errorType": answer["error_type"],
                "requestId": request_id,
                "stackTrace": (answer.get("trace") or "").splitlines(keepends=True)[1:-1],
            }
        return outcome

    runtime.Worker.invoke = invoke_and_remember
    functions._execute_function_warm = execute_and_name_error


def _run_dynamodb_tasks_on_the_loop() -> None:
    """Keep optimised DynamoDB tasks from losing updates: run them where HTTP calls run."""
    _expect(hasattr(machines, "_invoke_dynamodb"), "optimised DynamoDB tasks are made elsewhere")
    call = machines._invoke_dynamodb

    def on_the_loop(operation: Any, request: Any) -> Any:
        box: dict[str, Any] = {}

        async def handler(*_: Any) -> tuple[int, dict[str, str], bytes]:
            try:
                box["result"] = call(operation, request)
            except BaseException as error:  # noqa: BLE001 - carried over to the calling thread
                box["error"] = error
            return 200, {}, b"{}"

        app.call_service_handler_sync(handler, "POST", "/", {}, b"", {})
        if "error" in box:
            raise box["error"]
        return box["result"]

    machines._invoke_dynamodb = on_the_loop


def _fail_a_task_whose_dispatch_failed() -> None:
    """End a wait for a task token when the Lambda that was given the token raised, as AWS does.

    ministack drops the error and waits on, until the task's time-out: six hours for an attempt.
    """
    wait, call = machines._invoke_with_callback, machines._call_lambda
    _expect(
        list(inspect.signature(wait).parameters) == ["resource", "input_data", "token", "state_def"]
        and inspect.getsource(wait).count("except _ExecutionError:\n            pass") == 1,
        "a dispatch that fails is treated anew",
    )

    def wait_under_token(resource: Any, request: Any, token: str, state: Any) -> Any:
        _invocation.token = token
        try:
            return wait(resource, request, token, state)
        finally:
            _invocation.token = None

    def call_and_tell(reference: Any, event: Any) -> Any:
        try:
            return call(reference, event)
        except machines._ExecutionError as error:
            waiting = machines._task_tokens.get(getattr(_invocation, "token", None))
            # A result that was already reported stands: the task had ended when its Lambda raised.
            if waiting is not None and not waiting["event"].is_set():
                waiting["error"] = {"Error": error.error, "Cause": error.cause}
                waiting["event"].set()
            raise

    machines._invoke_with_callback = wait_under_token
    machines._call_lambda = call_and_tell


def _start_executions_at_once() -> None:
    """Take out the 150 ms that ministack lets pass before an execution enters its first state."""
    code = machines._run_execution.__code__
    _expect(code.co_consts.count(0.15) == 1, "executions start anew")
    constants = tuple(0.0 if value == 0.15 else value for value in code.co_consts)  # noqa: PLR2004
    machines._run_execution.__code__ = code.replace(co_consts=constants)


def _answer_without_waiting_for_log_lines() -> None:
    """Wait 2 ms, not 50, for the log of an invocation that logs nothing.

    A late line is not lost: it goes into the log of the worker's next invocation.
    """
    drain = runtime.Worker._drain_stderr_bounded
    _expect(drain.__defaults__ == (0.050, 0.005, 0.250), "the log of an invocation is read anew")
    drain.__defaults__ = (0.002, 0.002, 0.250)


def _share_unpacked_functions() -> None:
    """Unpack and compile a function's code once, not once per worker: 1 s less per cold start."""
    shared = Path(tempfile.gettempdir()) / "shared-code"
    shutil.rmtree(shared, ignore_errors=True)
    lock = threading.Lock()

    class SharingZipFile(zipfile.ZipFile):
        def extractall(self, path: Any = None, members: Any = None, pwd: Any = None) -> None:
            target = Path(path)
            if target.name != "code":
                super().extractall(path, members, pwd)
                return
            digest = hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()
            home = shared / digest
            with lock:
                if not home.exists():
                    part = home.with_suffix(".part")
                    super().extractall(part, members, pwd)
                    part.rename(home)
            target.rmdir()
            target.symlink_to(home, target_is_directory=True)

    sharing = type(zipfile)("zipfile")
    sharing.__dict__.update(zipfile.__dict__)
    sharing.ZipFile = SharingZipFile  # type: ignore[attr-defined]
    _expect(runtime.zipfile is zipfile, "functions are unpacked anew")
    runtime.zipfile = sharing


def _save_as_a_set() -> None:
    """Save the state of all services together, or not at all, and start from the last that is whole.

    ministack has a file for each and replaces one after the other: killed between two, it started
    with services of different moments, such as a stack whose functions were not there yet.
    """
    _expect(app.save_all is persistence.save_all, "the state is saved anew")
    services = Path(persistence.STATE_DIR)
    for begun in services.glob("part-*"):
        shutil.rmtree(begun, ignore_errors=True)
    # Without a set, this is the first start, or the first after one that wrote the files singly.
    persistence.STATE_DIR = str(_sets(services)[-1] if _sets(services) else services)

    app.save_all = _save_set_or_say
    # Code that only the set before needs goes when there is another, not while that is written.
    functions._prune_orphan_code_blobs = _blobs_in_use.append


def _save_set_or_say(states: Mapping[str, Callable[[], Any]]) -> None:
    try:
        _save_set(states)
    except (OSError, RuntimeError):
        _log.exception("the state was not saved; the one before stays")


def _save_set(states: Mapping[str, Callable[[], Any]]) -> None:
    services, latest = Path(os.environ["STATE_DIR"]), persistence.STATE_DIR
    # By its beginning: a copy that was forked before and ends later is older.
    number = max([time.time_ns(), *(int(each.name[4:]) + 1 for each in _sets(services))])
    part, whole = services / f"part-{number}", services / f"set-{number:020d}"
    part.mkdir(parents=True)
    persistence.STATE_DIR = str(part)
    try:
        _write_set(states, part, Path(latest))
        part.rename(whole)
        latest = str(whole)
    finally:
        persistence.STATE_DIR = latest
        shutil.rmtree(part, ignore_errors=True)
    _sync(services)
    if _blobs_in_use and _sets(services)[-1] == whole:
        _prune(_blobs_in_use[-1])
    _blobs_in_use.clear()
    for old in _sets(services)[:-2]:  # the one before stays, for a copy that links its files now
        shutil.rmtree(old, ignore_errors=True)


def _sets(services: Path) -> list[Path]:
    return sorted(services.glob("set-*"))


def _write_set(states: Mapping[str, Callable[[], Any]], part: Path, latest: Path) -> None:
    for name, state_of in states.items():
        if (state := state_of()) is not None:
            persistence.save_state(name, state)  # logs what goes wrong, and goes on
            if not (part / f"{name}.json").exists():
                raise RuntimeError(f"the state of {name} could not be saved")
    for before in latest.glob("*.json"):  # of services that nobody has asked for since the start
        if not (part / before.name).exists():
            os.link(before, part / before.name)
    for each in [*part.iterdir(), part]:
        _sync(each)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _with_own_paths(
    serve: Callable[[Any, Any, Any], Awaitable[None]],
) -> Callable[[Any, Any, Any], Awaitable[None]]:
    async def served(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        path = scope.get("path")
        if scope["type"] == "lifespan" and persistence.PERSIST_STATE:
            _tasks.add(asyncio.create_task(_snapshots()))
        if scope.get("method", "GET") not in _READING:
            _written.set()
        if scope["type"] == "http" and path in {_WARM_PATH, _SNAPSHOT_PATH}:
            work = _snapshot if path == _SNAPSHOT_PATH else _warm
            query = scope.get("query_string", b"").decode()
            body = json.dumps(await work(query)).encode()
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        await serve(scope, receive, send)

    return served


async def _snapshots() -> None:
    """Save the state every few seconds in which somebody wrote, so that a kill loses only those."""
    loop = asyncio.get_running_loop()
    while True:
        await _written.wait()
        await asyncio.sleep(_SNAPSHOT_PERIOD_S)
        _written.clear()
        started = loop.time()
        await _snapshot("")
        await asyncio.sleep(_SNAPSHOT_SHARE * (loop.time() - started))


async def _snapshot(_query: str) -> dict[str, Any]:
    """Save the state as a graceful stop would, in a forked copy, so that requests do not wait."""
    if not persistence.PERSIST_STATE:
        return {"saved": False}
    child = os.fork()
    if child == 0:
        try:
            os.closerange(3, _MOST_FILES)  # a port of ours must not stay open if we are killed
            _save_set(app._build_persistence_save_dict())
            os._exit(0)
        finally:
            os._exit(1)
    ended = asyncio.create_task(asyncio.to_thread(os.waitpid, child, 0))
    done, _ = await asyncio.wait([ended], timeout=_SNAPSHOT_LIMIT_S)
    if not done:
        os.kill(child, signal.SIGKILL)  # another thread held a lock at the fork; try again later
    _, status = await ended
    return {"saved": status == 0}


async def _warm(query: str) -> dict[str, Any]:
    """Start workers ahead of their first call, as provisioned concurrency does.

    `?workers=N` of each function; with `&named=PART`, given once or more, of those that have the
    part in their name.
    """
    asked = parse_qs(query)
    wanted, parts = int(asked.get("workers", ["1"])[0]), asked.get("named", [""])
    records = [
        record
        for record in functions._functions._data.values()
        if any(part in record["config"]["FunctionName"] for part in parts)
    ]
    calls = [asyncio.to_thread(_start_workers, record, wanted) for record in records]
    return {"workers": sum(await asyncio.gather(*calls))}


def _start_workers(record: dict[str, Any], wanted: int) -> int:
    config, leased = record["config"], []
    if not record.get("code_zip"):
        return 0
    try:
        for _ in range(wanted):
            worker, _reason = runtime.acquire_worker(
                config["FunctionName"], config, record["code_zip"]
            )
            leased.append(worker)
            runtime.ensure_spawned(worker)
    except RuntimeError:
        _log.exception("function %s does not start", config["FunctionName"])
        runtime.invalidate_worker(config["FunctionName"])
        return 0
    finally:
        for worker in leased:
            runtime.release_worker(worker)
    return len(leased)


if __name__ == "__main__":
    main()
