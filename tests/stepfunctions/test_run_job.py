"""`run_job.asl.json` on two interpreters that share no code, with real functions as its tasks.

ministack is what a single machine runs; the sidecar has the heartbeats that AWS has. Neither is AWS.
"""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.stepfunctions.stage import Attempt, Definition, Stage, load_definition, wait_until

pytestmark = pytest.mark.stack

_BUDGET = 6

# An attempt that was lost is no failed execution. The operator who reads the console, or the alarm on
# ExecutionsFailed, wants to know when Berth could not do its own work; a reclaimed spot host that was
# recovered from is such work done, as much as a red test is. The output says which it was, and the
# graph shows RecoverAttempt. FAILED is left to mean: nobody has decided this job, the sweeper must.
_RECOVERED = {"decision": "requeued"}

_NEVER_EXPIRES = (
    "ministack 1.5.33 never expires HeartbeatSeconds: there the lease and the sweeper do"
)
expires_heartbeats = pytest.mark.parametrize(
    "stage",
    [pytest.param("ministack", marks=pytest.mark.skip(reason=_NEVER_EXPIRES)), "sidecar"],
    indirect=True,
)


def with_waits(*, heartbeat_s: int = 90, timeout_s: int = 21600) -> Definition:
    definition = load_definition()
    definition["States"]["DispatchAttempt"] |= {
        "HeartbeatSeconds": heartbeat_s,
        "TimeoutSeconds": timeout_s,
    }
    return definition


def with_quick_retries() -> Definition:
    """Two retries, about a second apart: whole seconds are the least that the language has."""
    definition = load_definition()
    for state in ("DispatchAttempt", "FinishJob", "RecoverAttempt"):
        for retry in definition["States"][state]["Retry"]:
            retry |= {"BackoffRate": 1.0, "MaxAttempts": 2}
    return definition


def refusal(call: Any, **request: Any) -> str | None:
    """Return the error code that the call is refused with; None when it is accepted."""
    try:
        call(**request)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def assert_recovered(attempt: Attempt, *, error: str) -> dict[str, Any]:
    """Check that the attempt went to RecoverAttempt and ended well; return the event it got."""
    ended = attempt.wait_ended()
    (event,) = attempt.calls("RecoverAttempt")
    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"]) == _RECOVERED
    assert attempt.states() == ["DispatchAttempt", "RecoverAttempt"]
    assert attempt.calls("FinishJob") == []
    assert {name: event[name] for name in ("job", "fence", "version")} == {
        "job": attempt.job,
        "fence": 1,
        "version": 1,
    }
    assert event["error"]["Error"] == error
    return event


def test_a_green_job_is_dispatched_and_finished(stage: Stage) -> None:
    attempt = stage.start()
    token = attempt.wait_token()

    attempt.succeed()
    ended = attempt.wait_ended()

    known = {"job": attempt.job, "fence": 1, "version": 1}
    assert ended["status"] == "SUCCEEDED"
    assert json.loads(ended["output"]) == {"outcome": "succeeded"}
    assert attempt.calls("DispatchAttempt") == [{**known, "task_token": token}]
    assert attempt.calls("FinishJob") == [known]
    assert attempt.calls("RecoverAttempt") == []


def test_a_green_job_keeps_to_its_transitions(stage: Stage) -> None:
    """Each costs as much as forty writes to the table."""
    attempt = stage.start()

    attempt.succeed()
    attempt.wait_ended()

    transitions = 2 + len(attempt.states())  # start and end with them, to be on the safe side
    print(f"transitions of a green job: {transitions} (budget {_BUDGET})")  # noqa: T201 - a figure
    assert attempt.states() == ["DispatchAttempt", "FinishJob"]
    assert transitions <= _BUDGET


def test_a_result_may_come_before_dispatch_has_returned(stage: Stage) -> None:
    """A job of one quick step can end while the function that started it is still closing up."""
    attempt = stage.start({"DispatchAttempt": [{"succeed_at": stage.url}]})

    ended = attempt.wait_ended()

    assert ended["status"] == "SUCCEEDED"
    assert len(attempt.calls("FinishJob")) == 1


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        ("HostUnreachableError", {"host": "h1", "reason": "connection refused"}),
        ("FenceLostError", {"job": "j", "fence": 1}),
        ("ImageMissingError", {"host": "h1", "image": "base", "reason": "not found"}),
        ("NotFoundError", {"reason": "no spec"}),
        ("KeyError", {}),
    ],
)
def test_a_dispatch_that_raises_is_recovered(
    stage: Stage, error: str, facts: dict[str, Any]
) -> None:
    attempt = stage.start({"DispatchAttempt": [{"raise": error, "facts": facts}]})

    event = assert_recovered(attempt, error=error)

    cause = json.loads(event["error"]["Cause"])
    assert cause["errorType"] == error
    assert facts.get("reason", "") in cause["errorMessage"]


def test_a_reported_failure_is_recovered_with_its_cause(stage: Stage) -> None:
    attempt = stage.start()
    token = attempt.wait_token()

    stage.sfn.send_task_failure(taskToken=token, error="SupervisorDied", cause="signal 9")

    event = assert_recovered(attempt, error="SupervisorDied")
    assert event["error"]["Cause"] == "signal 9"


@expires_heartbeats
def test_silence_is_recovered(stage: Stage) -> None:
    attempt = stage.start(definition=with_waits(heartbeat_s=2))

    # The language names States.HeartbeatTimeout; this interpreter says States.Timeout. Both are caught.
    assert_recovered(attempt, error="States.Timeout")


@expires_heartbeats
def test_a_heartbeat_keeps_the_attempt(stage: Stage) -> None:
    attempt = stage.start(definition=with_waits(heartbeat_s=2))
    token = attempt.wait_token()
    wait_until("the wait for the token", lambda: _beats(stage, token))
    began = time.monotonic()

    def outlived() -> bool:
        stage.sfn.send_task_heartbeat(taskToken=token)
        return time.monotonic() > began + 4

    wait_until("twice the time without a heartbeat", outlived)

    assert attempt.status() == "RUNNING"
    attempt.succeed()
    assert attempt.wait_ended()["status"] == "SUCCEEDED"
    assert attempt.calls("RecoverAttempt") == []


def _beats(stage: Stage, token: str) -> bool:
    # This interpreter refuses heartbeats until the dispatching function has returned.
    return refusal(stage.sfn.send_task_heartbeat, taskToken=token) is None


def test_an_attempt_without_end_is_recovered(stage: Stage) -> None:
    attempt = stage.start(definition=with_waits(heartbeat_s=1, timeout_s=2))

    assert_recovered(attempt, error="States.Timeout")


def test_a_late_result_finishes_nothing(stage: Stage) -> None:
    attempt = stage.start(definition=with_waits(heartbeat_s=1, timeout_s=2))
    token = attempt.wait_token()
    attempt.wait_ended()

    code = refusal(stage.sfn.send_task_success, taskToken=token, output="{}")

    # AWS says TaskTimedOut. The callback treats the three alike: nobody waits.
    assert code in {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"}
    assert attempt.states() == ["DispatchAttempt", "RecoverAttempt"]
    assert attempt.calls("FinishJob") == []


def test_a_result_that_is_sent_twice_finishes_once(stage: Stage) -> None:
    attempt = stage.start()
    token = attempt.wait_token()

    attempt.succeed()
    refusal(stage.sfn.send_task_success, taskToken=token, output="{}")
    attempt.wait_ended()

    assert refusal(stage.sfn.send_task_success, taskToken=token, output="{}") is not None
    assert attempt.states() == ["DispatchAttempt", "FinishJob"]
    assert len(attempt.calls("FinishJob")) == 1


def test_a_dispatch_that_the_store_did_not_answer_is_tried_again(stage: Stage) -> None:
    """It costs no attempt. Each try may wait for a token of its own; the last one counts."""
    fault = {"raise": "StoreUnavailableError", "facts": {"reason": "throttled"}}
    attempt = stage.start({"DispatchAttempt": [fault] * 2}, definition=with_quick_retries())

    wait_until("the third try", lambda: len(attempt.calls("DispatchAttempt")) == 3)
    attempt.succeed()
    ended = attempt.wait_ended()

    calls = attempt.calls("DispatchAttempt")
    assert ended["status"] == "SUCCEEDED"
    assert attempt.states() == ["DispatchAttempt", "FinishJob"]
    assert calls[0] | {"task_token": ""} == calls[2] | {"task_token": ""}


def test_a_dispatch_that_the_store_never_answers_is_recovered(stage: Stage) -> None:
    fault = {"raise": "StoreUnavailableError", "facts": {"reason": "throttled"}}
    attempt = stage.start({"DispatchAttempt": [fault] * 9}, definition=with_quick_retries())

    assert_recovered(attempt, error="StoreUnavailableError")

    assert len(attempt.calls("DispatchAttempt")) == 3


@pytest.mark.parametrize(
    ("role", "error", "facts"),
    [
        ("FinishJob", "StoreUnavailableError", {"reason": "throttled"}),
        ("RecoverAttempt", "StoreUnavailableError", {"reason": "throttled"}),
        ("RecoverAttempt", "HostUnreachableError", {"host": "h1", "reason": "refused"}),
    ],
)
def test_a_passing_fault_is_retried(
    stage: Stage, role: str, error: str, facts: dict[str, Any]
) -> None:
    script: dict[str, Any] = {role: [{"raise": error, "facts": facts}] * 2}
    if role == "RecoverAttempt":
        script["DispatchAttempt"] = [{"raise": "FenceLostError", "facts": {"job": "j", "fence": 1}}]
    attempt = stage.start(script, definition=with_quick_retries())

    if role == "FinishJob":
        attempt.succeed()
    ended = attempt.wait_ended()

    assert ended["status"] == "SUCCEEDED"
    assert attempt.states() == ["DispatchAttempt", role]
    calls = attempt.calls(role)
    assert len(calls) == 3
    assert calls[0] == calls[2]


def test_a_fault_that_stays_fails_the_execution(stage: Stage) -> None:
    """The job is still leased then: its lease expires, and the sweeper repairs it."""
    fault = {"raise": "StoreUnavailableError", "facts": {"reason": "throttled"}}
    attempt = stage.start({"FinishJob": [fault] * 9}, definition=with_quick_retries())

    attempt.succeed()
    ended = attempt.wait_ended()

    assert ended["status"] == "FAILED"
    assert len(attempt.calls("FinishJob")) == 3
    (failed,) = [event for event in attempt.history() if event["type"] == "ExecutionFailed"]
    assert failed["executionFailedEventDetails"]["error"] == "StoreUnavailableError"


def test_a_fault_that_no_repeat_helps_is_not_retried(stage: Stage) -> None:
    attempt = stage.start({"FinishJob": [{"raise": "KeyError"}]})

    attempt.succeed()
    ended = attempt.wait_ended()

    assert ended["status"] == "FAILED"
    assert len(attempt.calls("FinishJob")) == 1


def test_an_open_attempt_is_started_once(stage: Stage) -> None:
    attempt = stage.start()
    attempt.wait_token()

    code = refusal(stage.sfn.start_execution, **attempt.request)

    # AWS and the sidecar answer with the open execution. ministack refuses, and whoever starts
    # executions must take that for the same thing.
    assert code in {None, "ExecutionAlreadyExists"}
    attempt.succeed()
    attempt.wait_ended()
    assert len(attempt.calls("DispatchAttempt")) == 1


@pytest.mark.parametrize("ended", [False, True])
def test_a_name_is_never_used_for_another_attempt(stage: Stage, *, ended: bool) -> None:
    attempt = stage.start()
    if ended:
        attempt.succeed()
        attempt.wait_ended()
    other = attempt.request | {"input": json.dumps({"fence": 2, "job": attempt.job, "version": 1})}

    code = refusal(stage.sfn.start_execution, **other)

    assert code == "ExecutionAlreadyExists"


def test_a_stopped_attempt_runs_nothing_more(stage: Stage) -> None:
    """A cancelled job's result may still come: nothing waits for it."""
    attempt = stage.start()
    token = attempt.wait_token()

    stage.sfn.stop_execution(executionArn=attempt.execution, error="Stopped", cause="cancelled")
    ended = attempt.wait_ended()
    accepted = refusal(stage.sfn.send_task_success, taskToken=token, output="{}") is None

    assert ended["status"] == "ABORTED"
    if accepted:  # ministack still takes the old token; the execution must end there all the same
        wait_until("the end of the wait", lambda: _left_dispatch(attempt))
    assert attempt.states() == ["DispatchAttempt"]
    assert attempt.calls("FinishJob") == []
    assert attempt.calls("RecoverAttempt") == []


def _left_dispatch(attempt: Attempt) -> bool:
    return any(event["type"] == "TaskStateExited" for event in attempt.history())
