from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.web.html import Html, el, join

ANYTHING = st.text() | st.text(alphabet="<>&\"'/= \n\x00scriptonload:")


@given(text=ANYTHING)
def test_text_never_becomes_markup(text: str) -> None:
    markup = str(join(text))

    assert "<" not in markup
    assert ">" not in markup
    assert '"' not in markup
    assert "'" not in markup


@given(text=ANYTHING, value=ANYTHING)
def test_an_element_holds_what_it_was_given_and_nothing_else(text: str, value: str) -> None:
    markup = str(el("p", text, title=value))

    assert markup.startswith('<p title="')
    assert markup.endswith("</p>")
    assert markup.count("<") == markup.count(">") == 2
    assert markup.count('"') == 2


@given(text=ANYTHING)
def test_what_is_markup_already_is_not_escaped_again(text: str) -> None:
    once = el("b", text)

    assert str(join(once)) == str(once)
    assert str(el("i", [once])) == f"<i>{once}</i>"


def test_control_characters_and_marks_that_turn_text_around_are_dropped() -> None:
    assert str(join("a\x00b\x1bc\u202ed\u2066e\x9b")) == "abcde"


def test_half_of_a_surrogate_pair_does_not_break_the_page() -> None:
    assert str(join("a\ud800b")).encode() == "a\N{REPLACEMENT CHARACTER}b".encode()


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.example/",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "//elsewhere.example/",
        "/absolute",
        "\\\\elsewhere.example",
        "java\x00script:alert(1)",
    ],
)
def test_a_link_cannot_leave_the_application(link: str) -> None:
    with pytest.raises(ValueError, match="relative"):
        el("a", "x", href=link)


@pytest.mark.parametrize("link", ["./", "../", "pipelines/abc", "?after=1%2F2", "#main", "a?b=c:d"])
def test_relative_links_are_kept(link: str) -> None:
    assert f'href="{link}"' in str(el("a", "x", href=link))


@pytest.mark.parametrize(
    "build",
    [
        lambda: el("p", onclick="x"),
        lambda: el("p", style="color: red"),
        lambda: el("p", **{"a b": "x"}),
        lambda: el("p><script"),
    ],
    ids=["script", "style", "attribute", "tag"],
)
def test_code_and_names_that_are_no_names_are_refused(build: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match="is not a"):
        build()


def test_attributes_without_a_value_are_left_out_or_bare() -> None:
    assert el("input", required=True, disabled=False, id=None) == Html("<input required>")
