import re

from chalicelib.web.palette import palette_css


def test_every_colour_has_a_rule_for_text_and_one_for_what_is_behind() -> None:
    css = palette_css()

    assert (
        len(
            re.findall(
                r"^\.f\d+\{color:#[0-9a-f]{6}\}\.b\d+\{background:#[0-9a-f]{6}\}$",
                css,
                re.MULTILINE,
            )
        )
        == 256
    )


def test_text_that_could_not_be_read_on_the_panel_is_lifted() -> None:
    rules = dict(re.findall(r"^\.f(\d+)\{color:#([0-9a-f]{6})\}", palette_css(), re.MULTILINE))

    black, navy, white = (int(rules[number][:2], 16) for number in ("16", "17", "231"))
    assert black > 0x60
    assert navy > 0x40
    assert white == 0xFF


def test_lifted_colours_are_true_where_they_have_a_background() -> None:
    assert '.f16[class*=" b"]{color:#000000}' in palette_css()
