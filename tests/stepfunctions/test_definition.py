"""What must hold of every state machine's text, whoever runs it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from chalice.utils import to_cfn_resource_name
from statelint.linter import Linter

from app import app
from chalicelib import errors
from chalicelib.services.policies import HOST_CALL, STORE_CALL
from chalicelib.wait.policy import RetryPolicy

_ROOT = Path(__file__).resolve().parents[2]
_FILES = sorted((_ROOT / "stepfunctions").glob("*.asl.json"))

# Which policy each task's calls follow. A task that is not here must not retry.
_POLICIES: dict[tuple[str, str], list[RetryPolicy]] = {
    ("run_job", "DispatchAttempt"): [STORE_CALL],
    ("run_job", "FinishJob"): [STORE_CALL],
    ("run_job", "RecoverAttempt"): [HOST_CALL],
}
_VERBS = {"Dispatch", "Finish", "Recover"}

State = dict[str, Any]


@pytest.fixture(params=_FILES, ids=lambda path: path.name)
def file(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def states(file: Path) -> dict[str, State]:
    found: dict[str, State] = json.loads(file.read_text())["States"]
    return found


def handlers(states: dict[str, State]) -> Iterator[list[str]]:
    """Return the error names of each `Retry` and `Catch` entry."""
    for state in states.values():
        for handler in state.get("Retry", []) + state.get("Catch", []):
            yield handler["ErrorEquals"]


def test_there_is_a_definition_to_test() -> None:
    assert [path.name for path in _FILES] == ["run_job.asl.json"]


def test_the_linter_finds_nothing(file: Path) -> None:
    problems = Linter.validate(str(file))

    assert problems == []


def test_every_error_has_a_class(states: dict[str, State]) -> None:
    """A misspelt name never matches, and nobody notices until it should have."""
    names = {name for names in handlers(states) for name in names}

    ours = {name for name in names if not name.startswith(("States.", "Lambda."))}

    assert ours <= set(errors.__all__)


def test_an_attempt_that_falls_silent_is_noticed_before_its_limit(states: dict[str, State]) -> None:
    waits = [state for state in states.values() if "waitForTaskToken" in state["Resource"]]

    assert waits
    assert all(0 < state["HeartbeatSeconds"] < state["TimeoutSeconds"] for state in waits)


def test_a_wait_is_caught_under_both_names_of_silence(states: dict[str, State]) -> None:
    """The language says HeartbeatTimeout; interpreters disagree on what they report."""
    waits = [state for state in states.values() if "waitForTaskToken" in state["Resource"]]

    for state in waits:
        assert {"States.HeartbeatTimeout", "States.Timeout"} <= set(
            state["Catch"][0]["ErrorEquals"]
        )


def test_the_name_for_all_errors_stands_alone_and_last(states: dict[str, State]) -> None:
    """AWS refuses anything else; no validator here does."""
    for state in states.values():
        for block in (state.get("Retry", []), state.get("Catch", [])):
            names = [entry["ErrorEquals"] for entry in block]
            assert all("States.ALL" not in entry for entry in names[:-1])
            assert all(entry == ["States.ALL"] for entry in names[-1:] if "States.ALL" in entry)


def test_a_state_is_named_by_verb_and_noun(states: dict[str, State]) -> None:
    for name in states:
        verb, *nouns = re.findall(r"[A-Z][a-z]+", name)
        assert verb in _VERBS
        assert nouns
        assert "".join([verb, *nouns]) == name


def test_the_query_language_is_jsonpath(file: Path) -> None:
    assert "QueryLanguage" not in file.read_text()


def test_every_call_waits_as_its_policy_says(file: Path, states: dict[str, State]) -> None:
    process = file.name.removesuffix(".asl.json")

    written = {name: state.get("Retry", []) for name, state in states.items()}

    assert written == {
        name: [policy.as_retry() for policy in _POLICIES.get((process, name), [])]
        for name in states
    }


def test_numbers_are_written_as_validators_want_them(file: Path) -> None:
    """`2 == 2.0` in Python, so the comparison of policies would not see it."""
    assert set(re.findall(r'"BackoffRate": (\S+?),', file.read_text())) == {"2.0"}


def test_the_template_supplies_every_substitution(file: Path) -> None:
    wanted = set(re.findall(r"\$\{(\w+)\}", file.read_text()))

    supplied = template()["RunJob"]["Properties"]["DefinitionSubstitutions"]

    assert set(supplied) == wanted


def test_the_template_names_functions_of_the_application() -> None:
    """Chalice makes the resources' names from the functions' names, in another template."""
    made = {to_cfn_resource_name(function.name) for function in app.pure_lambda_functions}
    own = set(template())

    named = set(re.findall(r"'Fn::GetAtt': \['(\w+)'", str(template()))) - own

    assert named == {"DispatchAttempt", "FinishJob", "RecoverAttempt"}
    assert named <= made


def template() -> dict[str, Any]:
    text = (_ROOT / "cloudformation/workflows.yaml").read_text()
    resources: dict[str, Any] = yaml.safe_load(text)["Resources"]
    return resources
