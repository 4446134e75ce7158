"""The pages say what is so."""

import doctest
import os
import re
from pathlib import Path

import pytest

from chalicelib.cli.host_spec import load_spec
from chalicelib.hostspec import resources

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/hostspec.md"
HOW_TO = ROOT / "docs/how-to/host-spec.md"


@pytest.mark.skipif(os.geteuid() != 0, reason="a host spec is applied as root")
def test_the_examples_of_the_page_are_true() -> None:
    assert doctest.testfile(str(PAGE), module_relative=False).failed == 0


def test_the_page_names_every_resource() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE.read_text()))

    assert set(resources.__all__) - named <= {"template"}


def test_the_build_host_of_the_how_to_is_the_products() -> None:
    code = (ROOT / "chalicelib/hostspec/crates/build_host.py").read_text()

    assert f"```python\n{code}```" in HOW_TO.read_text()


def test_the_spec_that_the_how_to_writes_is_one(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    (tmp_path / "spec.py").write_text(blocks[-1])

    spec = load_spec(str(tmp_path / "spec.py"), ["domain=example.com"])

    assert "service nginx.service" in {each.name for each in spec.resources}
