import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model import CheckoutStep, JobSpec, RunStep, When

_TEXT = st.text(max_size=30)
_ENVIRONMENT = st.dictionaries(_TEXT, _TEXT, max_size=3)
_RUNS = st.builds(
    RunStep,
    name=_TEXT,
    command=_TEXT,
    environment=_ENVIRONMENT,
    working_directory=st.none() | _TEXT,
    when=st.sampled_from(When),
    no_output_timeout=st.integers(min_value=1, max_value=10**6).map(lambda s: timedelta(seconds=s)),
)
_CHECKOUTS = st.builds(CheckoutStep, name=_TEXT, path=st.none() | _TEXT)


@given(_TEXT, _ENVIRONMENT, st.lists(_RUNS | _CHECKOUTS, max_size=4), st.lists(_TEXT, max_size=3))
def test_a_spec_survives_json(
    name: str,
    environment: dict[str, str],
    steps: list[RunStep | CheckoutStep],
    needs: list[str],
) -> None:
    spec = JobSpec(name=name, environment=environment, steps=tuple(steps), needs=tuple(needs))

    assert JobSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_a_newer_spec_is_refused_and_not_misread() -> None:
    newer = {**JobSpec(name="build", steps=()).to_json(), "version": 2}

    with pytest.raises(ValueError, match="version 2"):
        JobSpec.from_json(newer)


def test_a_spec_of_before_jobs_had_needs_is_read() -> None:
    older = JobSpec(name="build", steps=()).to_json()
    del older["needs"]

    assert JobSpec.from_json(older).needs == ()
