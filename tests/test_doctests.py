"""The examples in docstrings are true."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parent.parent
_MODULES = sorted(
    ".".join(path.relative_to(_ROOT).with_suffix("").parts)
    for path in (_ROOT / "chalicelib").rglob("*.py")
    if ">>> " in path.read_text()
)


@pytest.mark.parametrize("name", _MODULES)
def test_the_examples_are_true(name: str) -> None:
    result = doctest.testmod(import_module(name))

    assert result.attempted > 0
    assert result.failed == 0
