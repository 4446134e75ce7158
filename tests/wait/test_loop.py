"""A wait as states: the same wait, carried by Step Functions."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statelint.linter import Linter

from chalicelib.errors import NotReadyError
from chalicelib.wait import Backoff, WaitPolicy
from tests.wait.script import RecordingClock, Script, Share

_LAWFUL = settings(max_examples=500)
_TASK = {
    "Resource": "arn:aws:states:::lambda:invoke",
    "Parameters": {"FunctionName": "CheckTransport", "Payload.$": "$"},
}
_READY = WaitPolicy(
    name="transport ready",
    sleep=timedelta(seconds=10),
    timeout=timedelta(seconds=90),
    catch=ConnectionError,
)


def states_of(policy: WaitPolicy) -> dict[str, dict[str, Any]]:
    return policy.as_wait_loop("Transport", task=_TASK, ready="ApplySpec", over="DiscardHost")


class Machine:
    """Runs the states of one loop, and knows no more of the language than they use."""

    def __init__(self, policy: WaitPolicy, script: Script, clock: RecordingClock) -> None:
        self.states = states_of(policy)
        self.policy = policy
        self.script = script
        self.clock = clock
        self.document: dict[str, Any] = {"host": "h-1"}
        self.error: Exception | None = None

    def run(self) -> str:
        """Return the name of the state that follows the loop."""
        name = "CheckTransport"
        while name in self.states:
            state = json.loads(json.dumps(self.states[name]))
            name = {"Task": self._task, "Choice": self._choice, "Wait": self._wait}[state["Type"]](
                state
            )
        return name

    def _task(self, state: Mapping[str, Any]) -> str:
        try:
            payload = json.loads(json.dumps(self._function(self.document)))
        except Exception as error:  # noqa: BLE001 - as Step Functions does, under States.ALL
            self.error = error
            return str(state["Catch"][0]["Next"])
        assert state["ResultPath"] == "$.wait"
        self.document["wait"] = {
            name.removesuffix(".$"): payload[path.removeprefix("$.Payload.")]
            for name, path in state["ResultSelector"].items()
        }
        return str(state["Next"])

    def _function(self, event: Mapping[str, Any]) -> dict[str, Any]:
        return self.policy.try_once(
            self.script, event.get("wait", {}), clock=self.clock, random=Share(0.5)
        )

    def _choice(self, state: Mapping[str, Any]) -> str:
        (choice,) = state["Choices"]
        assert choice["Variable"] == "$.wait.ready"
        ready = self.document["wait"]["ready"] is choice["BooleanEquals"]
        return str(choice["Next"] if ready else state["Default"])

    def _wait(self, state: Mapping[str, Any]) -> str:
        assert state["SecondsPath"] == "$.wait.delay_s"
        seconds = self.document["wait"]["delay_s"]
        assert isinstance(seconds, int)
        assert seconds >= 0
        if seconds:
            self.clock.sleep(timedelta(seconds=seconds))
        return str(state["Next"])


whole_seconds = st.integers(1, 30).map(lambda number: timedelta(seconds=number))
backoffs = st.builds(
    lambda first, rate, more: Backoff(first=first, rate=rate, cap=first + more),
    whole_seconds,
    st.integers(1, 4),
    whole_seconds,
)
policies = st.builds(
    WaitPolicy,
    sleep=st.one_of(st.none(), whole_seconds, backoffs),
    tries=st.one_of(st.just(...), st.integers(1, 8)),
    timeout=st.one_of(st.none(), whole_seconds.map(lambda each: each * 4)),
    catch=st.just(ConnectionError),
)
outcomes = st.one_of(
    st.sampled_from([None, 0, "ready"]), st.builds(ConnectionError), st.builds(LookupError)
)
scripts = st.lists(outcomes, max_size=12)


@_LAWFUL
@given(policies, scripts, st.integers(0, 2))
def test_the_loop_waits_as_the_function_does(
    policy: WaitPolicy, entries: list[object], takes_s: int
) -> None:
    """With whole seconds; a wait of Step Functions knows no others."""
    clock, other = RecordingClock(), RecordingClock()
    script = Script(*entries, "ready", clock=clock, takes_s=takes_s)
    machine = Machine(policy, Script(*entries, "ready", clock=other, takes_s=takes_s), other)
    error: Exception | None = None
    try:
        policy.wait(script, clock=clock)
    except (NotReadyError, ConnectionError, LookupError) as raised:
        error = raised

    follows = machine.run()

    assert follows == ("ApplySpec" if error is None else "DiscardHost")
    assert machine.script.calls == script.calls
    assert other.slept == clock.slept
    assert type(machine.error) is type(error)
    if isinstance(error, NotReadyError) and isinstance(machine.error, NotReadyError):
        assert machine.error.tries == error.tries
        assert machine.error.elapsed == error.elapsed


@_LAWFUL
@given(policies, st.floats(0.001, 0.999), scripts)
def test_the_loop_never_waits_past_a_deadline(
    policy: WaitPolicy, takes_s: float, entries: list[object]
) -> None:
    clock = RecordingClock()
    start = clock.now()
    machine = Machine(policy, Script(*entries, "ready", clock=clock, takes_s=takes_s), clock)

    machine.run()

    within = clock.now() - start - timedelta(seconds=takes_s)
    assert policy.timeout is None or within <= policy.timeout + timedelta(milliseconds=1)


def test_a_pause_of_a_part_of_a_second_is_rounded_up() -> None:
    clock = RecordingClock()
    policy = WaitPolicy(
        sleep=Backoff(first=timedelta(seconds=3), cap=timedelta(seconds=9), jitter=True)
    )

    Machine(policy, Script(None, None, "ready"), clock).run()

    assert clock.slept == [2, 3]


def test_a_rest_of_less_than_a_second_counts_as_none() -> None:
    """Else the machine would go round without waiting until it had passed."""
    policy = WaitPolicy(timeout=timedelta(seconds=1.5))
    machine = Machine(policy, Script(None), RecordingClock())

    follows = machine.run()

    assert follows == "DiscardHost"
    assert machine.script.calls == 2


def test_the_input_goes_through_but_for_the_progress() -> None:
    machine = Machine(_READY, Script(None, "ready"), RecordingClock())

    follows = machine.run()

    assert follows == "ApplySpec"
    assert machine.document["host"] == "h-1"
    assert machine.document["wait"]["tries"] == 2


def test_a_loop_that_is_entered_again_starts_anew() -> None:
    clock = RecordingClock()
    machine = Machine(_READY, Script(None, "ready", None, "ready"), clock)
    machine.run()
    clock.advance(timedelta(hours=1))

    follows = machine.run()

    assert follows == "ApplySpec"
    assert machine.document["wait"]["tries"] == 2


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        (
            _READY,
            "Waits for transport ready: any number of tries, 0:00:10 apart, for 0:01:30 at most.",
        ),
        (WaitPolicy(name="it", sleep=None), "Waits for it: 3 tries, without a pause."),
        (
            WaitPolicy(
                name="it", sleep=Backoff(first=timedelta(seconds=1), cap=timedelta(seconds=5))
            ),
            "Waits for it: 3 tries, 0:00:01 apart, growing by 2.0 up to 0:00:05.",
        ),
    ],
)
def test_the_states_say_the_policy(policy: WaitPolicy, sentence: str) -> None:
    assert states_of(policy)["CheckTransport"]["Comment"] == sentence


def test_the_linter_takes_the_states(tmp_path: Path) -> None:
    machine = {
        "StartAt": "CheckTransport",
        "States": {
            **states_of(_READY),
            "ApplySpec": {"Type": "Succeed"},
            "DiscardHost": {"Type": "Fail", "Error": "Over", "Cause": "Not ready"},
        },
    }
    path = tmp_path / "machine.asl.json"
    path.write_text(json.dumps(machine))

    assert Linter.validate(str(path)) == []
