"""Fields of a delivery that may be missing or odd: the default branch."""

from pathlib import Path
from typing import Any

import pytest

from chalicelib.github import PipelineRequest, read_delivery
from chalicelib.github.payload import Payload

REAL = Path(__file__).parents[3] / "shared" / "cases" / "github-webhooks"


@pytest.mark.parametrize("name", ["main", "release/1.x", "ü"])
def test_a_default_branch_is_read(name: str) -> None:
    assert Payload({"default_branch": name}).branch("default_branch") == name


@pytest.mark.parametrize("odd", [None, 7, [], "", "a b", "a..b", "-x", "\ud800", "x" * 2000])
def test_a_default_branch_that_is_odd_is_unknown(odd: Any) -> None:
    assert Payload({"default_branch": odd}).branch("default_branch") == ""


def test_a_default_branch_that_is_missing_is_unknown() -> None:
    assert Payload({}).branch("default_branch") == ""


@pytest.mark.parametrize(
    "file",
    [
        "push/payload-5.json",
        "push/payload-6.json",
        "pull_request/opened.json",
        "pull_request/synchronize.json",
    ],
)
def test_a_real_payload_tells_the_default_branch(file: str) -> None:
    if not (REAL / file).exists():
        pytest.skip(f"the collected payloads are not here: {REAL}")

    asked = read_delivery(file.partition("/")[0], "guid", (REAL / file).read_bytes())

    assert isinstance(asked, PipelineRequest)
    assert asked.source.default_branch == "master"
