"""`WaitPolicy.as_wait_loop` on two interpreters, with `try_once` in a real function as its task."""

import json
from typing import Any

import pytest

from tests.stepfunctions.functions.waiter import READY
from tests.stepfunctions.stage import Definition, Stage, deploy_function

pytestmark = pytest.mark.stack

_ROUND = ["CheckReadiness", "JudgeReadiness", "WaitReadiness"]


@pytest.fixture(scope="session")
def definition(emulator_url: str) -> Definition:
    """A state machine that waits, and then says by its last state how that went."""
    function = deploy_function(
        emulator_url, "waiter", module="waiter", needs=("errors.py", "clock.py", "wait/*.py")
    )
    task = {
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function, "Payload.$": "$"},
    }
    loop = READY.as_wait_loop("Readiness", task=task, ready="UseHost", over="ReportFailure")
    ends = {"UseHost": {"Type": "Succeed"}, "ReportFailure": {"Type": "Succeed"}}
    return {"StartAt": "CheckReadiness", "States": {**loop, **ends}}


def run(stage: Stage, definition: Definition, event: dict[str, Any]) -> tuple[list[str], Any]:
    """Return the states that were entered, and the output."""
    execution = stage.execute(definition, event)

    ended = execution.wait_ended()

    assert ended["status"] == "SUCCEEDED"
    return execution.states(), json.loads(ended["output"])


@pytest.mark.parametrize(
    "event",
    [{"ready_at": 3}, {"ready_at": 3, "raises": "ConnectionRefusedError"}],
    ids=["returns false before", "raises what is caught before"],
)
def test_what_is_ready_at_the_third_try_goes_on(
    stage: Stage, definition: Definition, event: dict[str, Any]
) -> None:
    states, output = run(stage, definition, event)

    wait = output.pop("wait")
    assert states == [*_ROUND, *_ROUND, "CheckReadiness", "JudgeReadiness", "UseHost"]
    assert (wait["ready"], wait["tries"]) == (True, 3)
    assert output == event


def test_a_wait_takes_the_seconds_that_its_policy_says(
    stage: Stage, definition: Definition
) -> None:
    execution = stage.execute(definition, {"ready_at": 3})

    ended = execution.wait_ended()

    assert (ended["stopDate"] - ended["startDate"]).total_seconds() >= 2


def test_what_is_ready_at_once_waits_for_nothing(stage: Stage, definition: Definition) -> None:
    states, output = run(stage, definition, {"ready_at": 1})

    assert states == ["CheckReadiness", "JudgeReadiness", "UseHost"]
    assert output["wait"]["delay_s"] == 0


def test_what_is_never_ready_is_over_after_the_last_try(
    stage: Stage, definition: Definition
) -> None:
    states, output = run(stage, definition, {"host": "h1"})

    assert states == [*_ROUND, *_ROUND, "CheckReadiness", "ReportFailure"]
    assert output["error"]["Error"] == "NotReadyError"
    assert "readiness: not ready after 3 tries" in output["error"]["Cause"]
    assert (output["host"], output["wait"]["tries"]) == ("h1", 2)


@pytest.mark.parametrize(
    ("error", "tries"),
    [("ConnectionRefusedError", 3), ("KeyError", 1)],
    ids=["caught, to the last try", "not caught, at once"],
)
def test_an_error_that_is_not_tried_again_is_over(
    stage: Stage, definition: Definition, error: str, tries: int
) -> None:
    states, output = run(stage, definition, {"raises": error})

    assert states == [*_ROUND * (tries - 1), "CheckReadiness", "ReportFailure"]
    assert output["error"]["Error"] == error
