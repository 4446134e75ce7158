"""What `docs/wait.md` says is true."""

import doctest
import re
from pathlib import Path

_PAGE = Path(__file__).resolve().parents[2] / "docs/wait.md"


def test_the_examples_of_the_page_are_true() -> None:
    result = doctest.testfile(str(_PAGE), module_relative=False)

    assert result.attempted > 0
    assert result.failed == 0


def test_each_test_that_the_page_names_exists() -> None:
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", _PAGE.read_text())

    missing = [
        (file, test)
        for file, test in named
        if f"\ndef {test}(" not in (Path(__file__).parent / file).read_text()
    ]

    assert named
    assert missing == []
