"""What `docs/transport.md` says is true."""

import doctest
from pathlib import Path

_PAGE = Path(__file__).resolve().parents[2] / "docs/transport.md"


def test_the_examples_of_the_page_are_true() -> None:
    result = doctest.testfile(str(_PAGE), module_relative=False)

    assert result.attempted > 10
    assert result.failed == 0
