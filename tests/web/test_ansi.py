import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chalicelib.web.ansi import MAX_PENDING, AnsiState, ansi_to_html, tail

# What a terminal is likely to see, and bits of it that fall apart.
COLOURS = ["\x1b[31m", "\x1b[0m", "\x1b[1;38;5;200m", "\x1b[48;2;1;2;3m", "\x1b[7m"]
STRINGS = ["\x1b]8;;http://x\x07", "\x1b]0;t\x1b\\"]
BITS = ["a", "b c", "\n", "\r\n", "\x1b", "[", "]", "3", "m", "<b>", "&", "é"]
PIECES = st.sampled_from([*COLOURS, *STRINGS, *BITS])
OVERWRITING = PIECES | st.sampled_from(["\r", "\b", "\x1b[K", "\x1b[2K", "\x1b[3G", "\x1b[2A"])
CLASSES = re.compile(
    r'<span class="(?:[fb](?:[0-9]{1,3}|i)|[wdius])(?: (?:[fb](?:[0-9]{1,3}|i)|[wdius]))*">'
)


class _Cells(HTMLParser):
    """The characters of a piece of markup, each with its classes."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[tuple[str, str]] = []
        self._classes = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag == "span"
        self._classes = dict(attrs)["class"] or ""

    def handle_endtag(self, tag: str) -> None:
        assert tag == "span"
        self._classes = ""

    def handle_data(self, data: str) -> None:
        self.cells += [(char, self._classes) for char in data]


def cells(markup: str) -> list[tuple[str, str]]:
    parser = _Cells()
    parser.feed(markup)
    parser.close()
    return parser.cells


def shown(*parts: str) -> str:
    """Return the markup of text that comes in these parts, the incomplete line included."""
    state, markup = AnsiState(), ""
    for part in parts:
        lines, state = ansi_to_html(part, state)
        markup += str(lines)
    return markup + str(tail(state))


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("plain\n", "plain\n"),
        ("\x1b[31mred\x1b[0m not\n", '<span class="f1">red</span> not\n'),
        ("\x1b[1;92mx\x1b[m", '<span class="f10 w">x</span>'),
        ("\x1b[38;5;208mx", '<span class="f208">x</span>'),
        ("\x1b[38;2;255;0;0mx", '<span class="f196">x</span>'),
        ("\x1b[48:2:8:8:8mx", '<span class="b232">x</span>'),
        ("\x1b[3;4mx\x1b[23;24my", '<span class="i u">x</span>y'),
        ("\x1b[7mx\x1b[27my", '<span class="fi bi">x</span>y'),
        ("\x1b[31;7mx", '<span class="fi b1">x</span>'),
        (
            "\x1b[31mone\ntwo\x1b[39m\n",
            '<span class="f1">one</span>\n<span class="f1">two</span>\n',
        ),
        ("\x1b[38;5mx", "x"),
        ("\x1b[999;31mx", '<span class="f1">x</span>'),
    ],
)
def test_looks_become_classes(text: str, markup: str) -> None:
    assert shown(text) == markup


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("10%\r50%\r100%\n", "100%\n"),
        ("longer line\rshort\n", "shortr line\n"),
        ("longer line\r\x1b[Kshort\n", "short\n"),
        ("longer\x1b[2K\rshort\n", "short\n"),
        ("12345\x1b[1Gabc\n", "abc45\n"),
        ("abd\bc\n", "abc\n"),
        ("\b\b\bx\n", "x\n"),
        ("line\r\n", "line\n"),
    ],
)
def test_the_last_write_on_a_line_wins(text: str, left: str) -> None:
    assert shown(text) == left


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b]8;;https://elsewhere.example\x07",
        "\x1b]8;;https://elsewhere.example\x1b\\",
        "\x1b]0;title\x07",
        "\x1bPdevice\x1b\\",
        "\x1b[2A",
        "\x1b[10;20H",
        "\x1b[2J",
        "\x1b[?25l",
        "\x1b[>1m",
        "\x1b(B",
        "\x1b7",
        "\x07",
        "\x00",
    ],
)
def test_other_sequences_leave_no_trace(sequence: str) -> None:
    assert shown(f"a{sequence}b\n") == "ab\n"


def test_an_unfinished_string_does_not_swallow_the_lines_after_it() -> None:
    assert shown("a\x1b]0;never ended\nnext\n") == "a\nnext\n"


def test_only_newlines_end_lines() -> None:
    assert shown("a\u2028b\x85c\n") == "a\u2028bc\n"


@given(text=st.text() | st.lists(OVERWRITING).map("".join))
def test_no_output_ever_yields_other_markup_than_classes_of_ours(text: str) -> None:
    markup = shown(text)

    rest = CLASSES.sub("", markup).replace("</span>", "")
    assert "<" not in rest
    assert ">" not in rest
    assert '"' not in rest


@given(pieces=st.lists(PIECES, max_size=60), data=st.data())
@example(pieces=["\x1b[31m", "a" * (3 * MAX_PENDING)], data=None)
def test_it_does_not_matter_where_the_log_was_cut(
    pieces: list[str], data: st.DataObject | None
) -> None:
    text = "".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text))))) if data else [700, 1500, 1501]
    parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    assert cells(shown(*parts)) == cells(shown(text))


@given(pieces=st.lists(OVERWRITING, max_size=60), data=st.data())
def test_progress_bars_may_be_cut_anywhere_too(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    cut = data.draw(st.integers(0, len(text)))

    assert cells(shown(text[:cut], text[cut:])) == cells(shown(text))


def test_a_progress_bar_that_never_ends_its_line_stays_one_line() -> None:
    state = AnsiState()
    markup = ""

    for percent in range(1_000):
        lines, state = ansi_to_html(f"\rloading \x1b[32m{percent:4d}\x1b[0m of 1000", state)
        markup += str(lines)

    assert markup == ""
    assert str(tail(state)) == 'loading <span class="f2"> 999</span> of 1000'
    assert len(state.pending) <= MAX_PENDING


def test_a_long_line_is_given_out_before_it_ends() -> None:
    markup, state = ansi_to_html("x" * 5_000, AnsiState())

    assert str(markup) == "x" * 5_000
    assert state.pending == ""


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[31mX\x1b[32mY" * 40_000,
        "\rX\x1b[4m" * 60_000,
        "\x1b" * 400_000,
        "\x1b]" * 200_000,
        "\x1b[" + "1;" * 200_000,
        ("x" * 50_000 + "\x1b[2K" + "\x1b[9999G\b" * 100) * 8,
    ],
)
def test_hostile_output_is_rendered_within_the_test_limit(hostile: str) -> None:
    """Quadratic work on half a megabyte would take minutes; the limit on a test is 20 s."""
    assert len(shown(hostile, "\n")) < 12 * len(hostile)
