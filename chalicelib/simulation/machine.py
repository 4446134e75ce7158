"""Step Functions: executions of the real `stepfunctions/run_job.asl.json`, and their task tokens.

An execution is durable: no fault befalls it but being stopped. It starts Lambdas, waits for their
end or for its token, and follows `Retry`, `Catch` and `Next` as the file says. What the file may
hold is what this reads; anything else fails loudly.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chalicelib.simulation.boundary import Boundary
from chalicelib.simulation.engine import Actor
from chalicelib.simulation.lambdas import Invocation, Lambdas

__all__ = ["Execution", "StateMachine"]

_ASL = Path(__file__).parents[2] / "stepfunctions" / "run_job.asl.json"
_SECOND_MS = 1000
_CALLBACK = ".waitForTaskToken"
_OWN_ERRORS = "States."
"""How the machine's own errors begin: time-outs, by which it knows nothing but silence."""

Handler = Callable[[Mapping[str, Any]], Any]


@dataclass(slots=True)
class Execution:
    """One run of the machine. `status` is RUNNING, SUCCEEDED, FAILED or ABORTED."""

    job: str
    fence: int
    actor: Actor
    status: str = "RUNNING"
    token: str = ""
    beat_at_ms: int = 0
    answered: bool = False
    states: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return `<job>-<fence>`."""
        return f"{self.job}-{self.fence}"


@dataclass(frozen=True, slots=True)
class _Ended:
    error: str = ""
    cause: str = ""


class StateMachine:
    """All executions, by name."""

    def __init__(
        self, boundary: Boundary, lambdas: Lambdas, handlers: Mapping[str, Handler]
    ) -> None:
        """Serve the machine.

        Args:
            boundary: for time and the trace.
            lambdas: run the tasks.
            handlers: function by the name that stands in the file, such as `FinishJobArn`.
        """
        self._definition = json.loads(_ASL.read_text(encoding="utf-8"))
        self._boundary = boundary
        self._lambdas = lambdas
        self._handlers = handlers
        self.executions: dict[str, Execution] = {}
        self._tokens: dict[str, Execution] = {}

    def start(self, job: str, fence: int) -> Execution:
        """Begin the execution of that name; one that exists, open or closed, is returned."""
        name = f"{job}-{fence}"
        if name in self.executions:
            return self.executions[name]
        execution = Execution(job=job, fence=fence, actor=Actor(f"execution {name}"))
        execution.actor.attempt = (job, fence)
        self.executions[name] = execution
        self._boundary.history.executions[job, fence] += 1
        self._boundary.effect(job, fence)
        self._boundary.engine.spawn(execution.actor, lambda: self._run(execution))
        return execution

    def stop(self, name: str) -> None:
        """Abort the execution if it runs. Lambdas that it had started go on."""
        execution = self.executions.get(name)
        if execution is not None and execution.status == "RUNNING":
            self._boundary.note(f"execution {name} is stopped")
            execution.status = "ABORTED"
            self._boundary.engine.wake(execution.actor)

    def heartbeat(self, token: str) -> bool:
        """Note that the token's task lives; False when nobody waits."""
        execution = self._waiting(token)
        if execution is not None:
            execution.beat_at_ms = self._boundary.engine.now_ms
        return execution is not None

    def succeed(self, token: str) -> bool:
        """End the token's task well; False when nobody waits."""
        execution = self._waiting(token)
        if execution is None:
            return False
        execution.answered = True
        self._boundary.engine.wake(execution.actor)
        return True

    def open(self) -> list[Execution]:
        """Return the executions that run."""
        return [each for each in self.executions.values() if each.status == "RUNNING"]

    def _waiting(self, token: str) -> Execution | None:
        execution = self._tokens.get(token)
        waits = (
            execution is not None
            and execution.status == "RUNNING"
            and execution.token == token
            and not execution.answered
        )
        return execution if waits else None

    def _run(self, execution: Execution) -> None:
        name: str | None = self._definition["StartAt"]
        event: dict[str, Any] = {"job": execution.job, "fence": execution.fence, "version": 1}
        while name is not None and execution.status == "RUNNING":
            execution.states.append(name)
            state = self._definition["States"][name]
            if state["Type"] != "Task":
                raise NotImplementedError(f"{name} is a {state['Type']}")
            ended = self._retried(execution, state, event)
            if execution.status != "RUNNING":
                return
            if ended.error and not ended.error.startswith(_OWN_ERRORS):
                self._boundary.history.given_up.add((execution.job, execution.fence))
            name, failed = _after(state, ended)
            if failed:
                execution.status = "FAILED"
            event |= {"error": {"Error": ended.error, "Cause": ended.cause}} if ended.error else {}
        if execution.status == "RUNNING":
            execution.status = "SUCCEEDED"

    def _retried(
        self, execution: Execution, state: Mapping[str, Any], event: Mapping[str, Any]
    ) -> _Ended:
        tries = [0] * len(state.get("Retry", ()))
        while True:
            ended = self._task(execution, state, event)
            place = _matching(state.get("Retry", ()), ended.error)
            if not ended.error or place is None or execution.status != "RUNNING":
                return ended
            rule = state["Retry"][place]
            if tries[place] >= rule["MaxAttempts"]:
                return ended
            longest = rule["IntervalSeconds"] * rule["BackoffRate"] ** tries[place]
            tries[place] += 1
            capped_ms = int(min(longest, rule["MaxDelaySeconds"]) * _SECOND_MS)
            self._boundary.engine.pause(self._boundary.random.randint(0, capped_ms))

    def _task(
        self, execution: Execution, state: Mapping[str, Any], event: Mapping[str, Any]
    ) -> _Ended:
        """Run the state's Lambda once, and wait for it, or for the token if it has one."""
        engine = self._boundary.engine
        by_token = state["Resource"].endswith(_CALLBACK)
        if by_token:
            execution.token = f"{execution.name}#{len(self._tokens)}"
            execution.answered = False
            self._tokens[execution.token] = execution
        sent = {**event, "task_token": execution.token} if by_token else event
        handler = self._handlers[state["Parameters"]["FunctionName"].strip("${}")]
        execution.beat_at_ms = began_ms = engine.now_ms
        invocation = self._lambdas.invoke(
            state["Parameters"]["FunctionName"].strip("${}").removesuffix("Arn"),
            lambda: handler(sent),
            limit_s=60,
            attempt=(execution.job, execution.fence),
            caller=execution.actor,
        )
        while execution.status == "RUNNING":
            ended = self._verdict(execution, state, invocation, began_ms)
            if ended is not None:
                execution.token = ""
                return ended
            limits = [began_ms + state.get("TimeoutSeconds", 1 << 30) * _SECOND_MS]
            if by_token:
                limits.append(execution.beat_at_ms + state["HeartbeatSeconds"] * _SECOND_MS)
            engine.pause(min(limits) - engine.now_ms)
        return _Ended()

    def _verdict(
        self,
        execution: Execution,
        state: Mapping[str, Any],
        invocation: Invocation,
        began_ms: int,
    ) -> _Ended | None:
        now_ms = self._boundary.engine.now_ms
        if invocation.over and invocation.error:
            return _Ended(invocation.error, invocation.cause)
        if execution.answered if execution.token else invocation.over:
            return _Ended()
        if now_ms >= began_ms + state.get("TimeoutSeconds", 1 << 30) * _SECOND_MS:
            return _Ended("States.Timeout")
        silent_ms = now_ms - execution.beat_at_ms
        if execution.token and silent_ms >= state["HeartbeatSeconds"] * _SECOND_MS:
            return _Ended("States.HeartbeatTimeout")
        return None


def _after(state: Mapping[str, Any], ended: _Ended) -> tuple[str | None, bool]:
    """Return the next state, or None, and whether the execution fails here."""
    if not ended.error:
        return state.get("Next"), False
    place = _matching(state.get("Catch", ()), ended.error)
    return (None, True) if place is None else (state["Catch"][place]["Next"], False)


def _matching(rules: list[Mapping[str, Any]], error: str) -> int | None:
    for place, rule in enumerate(rules):
        if error in rule["ErrorEquals"] or "States.ALL" in rule["ErrorEquals"]:
            return place
    return None
