"""The page about the library tells the truth."""

import doctest
import re
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent.parent
_PAGE = _ROOT / "docs/shell.md"


def test_the_examples_of_the_page_are_true() -> None:
    result = doctest.testfile(str(_PAGE), module_relative=False)

    assert result.attempted > 10
    assert result.failed == 0


def test_the_tests_that_the_page_names_exist() -> None:
    code = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))

    named = set(re.findall(r"`(test_[a-z_]+)`", _PAGE.read_text()))

    assert named
    assert not {name for name in named if f"def {name}(" not in code}
