"""Whatever the text is, the compiler gives jobs or a `ConfigError` that can be shown."""

from graphlib import CycleError, TopologicalSorter
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.buildconfig import compile_config
from chalicelib.buildconfig.keywords import (
    JOB_KNOWN,
    JOB_SUPPORTED,
    RUN_SUPPORTED,
    STEPS_KNOWN,
    TOP_KNOWN,
    TOP_SUPPORTED,
    WORKFLOW_JOB_SUPPORTED,
    WORKFLOW_SUPPORTED,
)
from chalicelib.errors import ConfigError
from chalicelib.model import JobSpec

# How long an example takes depends on who else uses the machine.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

WORDS = sorted(
    TOP_SUPPORTED
    | TOP_KNOWN
    | JOB_SUPPORTED
    | JOB_KNOWN
    | RUN_SUPPORTED
    | STEPS_KNOWN
    | WORKFLOW_SUPPORTED
    | WORKFLOW_JOB_SUPPORTED
    | {"build", "test", "checkout", "run", "image", "debian:12", "2.1", "20m", "always", "A=1"}
)
MARKS = ["&a ", "*a", "<<: ", "<< ", " >>", "- ", ": ", "? ", "[", "]", "{", "}", "|", ">", "\n",
         "  ", "\t", "!!int ", "!!float ", "!!bool ", "!x ", "'", '"', "\\", "#", "---\n", "...\n",
         "%YAML 1.1\n", "0x_", "1:30", "1e9999", ".inf", ".nan", "010", "2019-01-01", "yes", "~",
         "=", "\r", "\u2028", "\ufeff", "<< parameters.x >>", "\x00", "9" * 5000]  # fmt: skip


def compiled_or_refused(text: bytes | str) -> tuple[JobSpec, ...] | ConfigError:
    try:
        return compile_config(text)
    except ConfigError as error:
        return error


def assert_compiles_or_is_refused(text: bytes | str) -> None:
    outcome = compiled_or_refused(text)

    if isinstance(outcome, ConfigError):
        assert outcome.line > 0
        assert outcome.reason
        assert str(outcome).isprintable()
    else:
        assert outcome
        assert tuple(JobSpec.from_json(job.to_json()) for job in outcome) == outcome


@unhurried
@given(st.binary(max_size=2000))
def test_arbitrary_bytes_give_jobs_or_a_config_error(text: bytes) -> None:
    assert_compiles_or_is_refused(text)


@unhurried
@given(st.text(alphabet=st.characters(), max_size=500))
def test_arbitrary_text_gives_jobs_or_a_config_error(text: str) -> None:
    assert_compiles_or_is_refused(text)


@unhurried
@given(st.lists(st.sampled_from(MARKS + WORDS), max_size=60).map("".join))
def test_fragments_of_yaml_give_jobs_or_a_config_error(text: str) -> None:
    assert_compiles_or_is_refused(text)


KEYS = st.sampled_from(WORDS) | st.text(max_size=5) | st.integers() | st.booleans()
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.sampled_from(WORDS)
    | st.text(max_size=20)
)


def trees() -> st.SearchStrategy[Any]:
    return st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
        max_leaves=15,
    )


@unhurried
@given(
    trees(),
    trees(),
    trees(),
    st.sampled_from(["top", "job", "step", "run", "workflow", "listed", "requires"]),
)
def test_trees_in_the_shape_of_a_config_give_jobs_or_a_config_error(
    jobs: Any, steps: Any, value: Any, place: str
) -> None:
    run = value if place == "run" else {"command": "make"}
    step = steps if place == "step" else [{"run": run}]
    job = value if place == "job" else {"steps": step, "environment": {"A": value}}
    config = {"version": 2.1, "jobs": jobs if place == "top" else {"build": job}}
    workflows = {
        "workflow": {"main": value},
        "listed": {"main": {"jobs": ["build", value]}},
        "requires": {"main": {"jobs": [{"build": {"requires": value}}]}},
    }
    if place in workflows:
        config["workflows"] = workflows[place]

    assert_compiles_or_is_refused(yaml.safe_dump(config, allow_unicode=True))


NAMES = st.sampled_from("abcdef")


@unhurried
@given(st.dictionaries(NAMES, st.lists(NAMES, max_size=4), min_size=1))
def test_needs_that_lead_back_or_out_of_the_workflow_are_refused_and_others_kept(
    needs: dict[str, list[str]],
) -> None:
    entries = [{name: {"requires": required}} for name, required in needs.items()]
    jobs = {name: {"steps": ["checkout"]} for name in "abcdef"}
    config = {"version": 2.1, "jobs": jobs, "workflows": {"main": {"jobs": entries}}}

    outcome = compiled_or_refused(yaml.safe_dump(config))

    try:
        TopologicalSorter({name: {*needs[name]} for name in needs}).prepare()
        sound = all(need in needs for required in needs.values() for need in required)
    except CycleError:
        sound = False
    assert isinstance(outcome, ConfigError) is not sound
    if not isinstance(outcome, ConfigError):
        assert {job.name: {*job.needs} for job in outcome} == {n: {*needs[n]} for n in needs}


@unhurried
@given(st.dictionaries(st.from_regex(r"[A-Z_]{1,8}", fullmatch=True), st.text(max_size=50)))
def test_quoted_environment_values_arrive_as_they_were_written(values: dict[str, str]) -> None:
    written = {name: value for name, value in values.items() if "\0" not in value}
    config = {
        "version": "2.0",
        "jobs": {"build": {"environment": written, "steps": ["checkout"]}},
    }

    (job,) = compile_config(yaml.safe_dump(config, default_style='"'))

    assert job.environment == written
