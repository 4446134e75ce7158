"""A wait as states of Step Functions, for what a `Retry` block cannot say.

A block repeats what raises, so many times; it knows neither a false answer nor a limit in time. The
loop here is a task that tries once, a choice and a wait. Its arithmetic is Python's: the task
answers with what `WaitPolicy.try_once` returns, and the states only carry that round.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["wait_loop"]

_PROGRESS = ("ready", "tries", "started_at_ms", "delay_s")


def wait_loop(
    noun: str, *, comment: str, task: Mapping[str, Any], ready: str, over: str
) -> dict[str, dict[str, Any]]:
    """Return the states `Check<noun>`, `Judge<noun>` and `Wait<noun>`; the first is the entrance.

    Source: https://states-language.net/spec.html#wait-state and #choice-state. Each round costs three
    transitions: at 10 s a round, an hour of waiting costs about 1,000.
    """
    check, judge, wait = f"Check{noun}", f"Judge{noun}", f"Wait{noun}"
    return {
        check: {
            "Comment": comment,
            "Type": "Task",
            **task,
            "ResultSelector": {f"{name}.$": f"$.Payload.{name}" for name in _PROGRESS},
            "ResultPath": "$.wait",
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": over}],
            "Next": judge,
        },
        judge: {
            "Type": "Choice",
            "Choices": [{"Variable": "$.wait.ready", "BooleanEquals": True, "Next": ready}],
            "Default": wait,
        },
        wait: {"Type": "Wait", "SecondsPath": "$.wait.delay_s", "Next": check},
    }
