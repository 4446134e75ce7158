"""xterm's 256 colours as CSS classes: `f<n>` for text, `b<n>` for what is behind it.

Logs stand on a dark panel in either theme. Colours that could not be read on it (navy, black) are
lifted until they can be, unless the text has a background of its own.
"""

from functools import cache

__all__ = ["palette_css"]

_Rgb = tuple[int, int, int]

_SIXTEEN = (
    "24292f f47067 57ab5a c69026 539bf5 b083f0 39c5cf adbac7 "
    "768390 ff938a 6bc46d daaa3f 6cb6ff dcbdfb 56d4dd f6f8fa"
)
_CUBE = (0, 95, 135, 175, 215, 255)
_PANEL: _Rgb = (0x10, 0x16, 0x1E)
_READABLE = 4.5
"""Contrast that WCAG 2 asks of text: <https://www.w3.org/TR/WCAG22/#contrast-minimum>."""


@cache
def palette_css() -> str:
    """Return the rules, one a line."""
    rules = []
    for number in range(256):
        colour = _colour(number)
        lifted = _lifted(colour)
        rules.append(f".f{number}{{color:{_hex(lifted)}}}.b{number}{{background:{_hex(colour)}}}")
        if lifted != colour:
            rules.append(f'.f{number}[class*=" b"]{{color:{_hex(colour)}}}')
    return "\n" + "\n".join(rules) + "\n"


def _colour(number: int) -> _Rgb:
    if number < 16:  # noqa: PLR2004 - the sixteen
        named = _SIXTEEN.split()[number]
        return int(named[:2], 16), int(named[2:4], 16), int(named[4:], 16)
    if number < 232:  # noqa: PLR2004 - a cube of 6 by 6 by 6
        red, rest = divmod(number - 16, 36)
        green, blue = divmod(rest, 6)
        return _CUBE[red], _CUBE[green], _CUBE[blue]
    grey = 8 + 10 * (number - 232)
    return grey, grey, grey


def _lifted(colour: _Rgb) -> _Rgb:
    while _contrast(colour) < _READABLE:
        red, green, blue = (value + max(1, (255 - value) // 12) for value in colour)
        colour = (min(red, 255), min(green, 255), min(blue, 255))
    return colour


def _contrast(colour: _Rgb) -> float:
    return (_luminance(colour) + 0.05) / (_luminance(_PANEL) + 0.05)


def _luminance(colour: _Rgb) -> float:
    parts = (value / 255 for value in colour)
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]  # noqa: PLR2004 - sRGB
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _hex(colour: _Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
