import re

import pytest

from chalicelib.web import SECURITY_HEADERS, STATIC, static_file


def test_the_policy_allows_nothing_but_our_own_files() -> None:
    policy = dict(
        rule.split(" ", 1) for rule in SECURITY_HEADERS["Content-Security-Policy"].split("; ")
    )

    assert policy["default-src"] == "'none'"
    assert set(policy.values()) == {"'none'", "'self'"}


@pytest.mark.parametrize("name", list(STATIC))
def test_static_files_load_nothing_from_elsewhere(name: str) -> None:
    text = static_file(name) or ""

    assert text
    links = re.findall(r"https?://[^\s\"')]+|url\([^)]*\)|@import", text)
    assert set(links) <= {"http://www.w3.org/2000/svg"}  # the name of SVG's vocabulary, not a link


@pytest.mark.parametrize("name", ["../layout.py", "nothing.css", "", "berth.css/"])
def test_other_files_are_not_served(name: str) -> None:
    assert static_file(name) is None
