"""Terminal output as HTML: colours become classes, progress bars show their last state.

The text comes from strangers' builds. Nothing of it reaches the markup but escaped text; class names
are made from numbers. 24-bit colours become the nearest of the 256 (the page's content policy allows
no inline styles). Escape sequences other than colours, and the few that work within a line, are
dropped. The work is linear in the text.

A line is rendered when it is complete; what stands after the last newline is kept in the state and
shown by `tail`, so that a live page can replace it when a carriage return overwrites it.
"""

import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby, pairwise

from chalicelib.web.html import EMPTY, Html, el, join

__all__ = ["MAX_PENDING", "PLAIN", "AnsiState", "Style", "ansi_to_html", "tail"]

MAX_PENDING = 1024
"""Characters of an incomplete line that are kept. A longer one is given out as it is so far."""

_TOKEN = re.compile(
    r"\x1b\[(?P<args>[0-?]{0,64})(?P<between>[ -/]{0,8})(?P<final>[@-~])"
    # Strings (titles, hyperlinks) end at BEL, ST or, against swallowing a log whole, at the line.
    r"|\x1b[\]PX^_](?P<string>[^\x07\x1b\n]*)(?:\x07|\x1b\\|(?=[\x1b\n]))"
    r"|\x1b[ -/]{0,8}[0-OQ-WYZ\\`-~]"
    r"|(?P<text>[^\x00-\x08\x0b-\x1f\x7f]+)"
    r"|(?P<control>[\x00-\x1f\x7f])"
)
_CUT_SHORT = re.compile(
    r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}|[\]PX^_][^\x07\x1b\n]*\x1b?|[ -/]{0,8})?\Z"
)
_MAX_STRING = 256
_WHOLE = 2  # of EL: the whole line
_SPECIAL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Style:
    """How text looks. Colours are 0 to 255 of xterm's palette; None is the default."""

    fg: int | None = None
    bg: int | None = None
    bold: bool = False
    faint: bool = False
    italic: bool = False
    underline: bool = False
    strike: bool = False
    inverse: bool = False

    def classes(self) -> str:
        """Return the CSS classes; empty for plain text."""
        fg, bg = (self.bg, self.fg) if self.inverse else (self.fg, self.bg)
        if self.inverse:
            # Classes for the defaults swapped, where a side has no colour of its own.
            names = [f"f{fg}" if fg is not None else "fi", f"b{bg}" if bg is not None else "bi"]
        else:
            names = [f"f{fg}"] * (fg is not None) + [f"b{bg}"] * (bg is not None)
        flags = {"w": self.bold, "d": self.faint, "i": self.italic, "u": self.underline}
        names += [name for name, on in (flags | {"s": self.strike}).items() if on]
        return " ".join(names)

    def sgr(self) -> str:
        """Return the escape sequence that leads here from any style."""
        flags = {1: self.bold, 2: self.faint, 3: self.italic, 4: self.underline}
        codes = ["0", *(str(code) for code, on in flags.items() if on)]
        codes += ["7"] * self.inverse + ["9"] * self.strike
        codes += [f"38;5;{self.fg}"] * (self.fg is not None)
        codes += [f"48;5;{self.bg}"] * (self.bg is not None)
        return f"\x1b[{';'.join(codes)}m"


PLAIN = Style()


@dataclass(frozen=True, slots=True)
class AnsiState:
    """What one piece of output leaves for the next.

    Attributes:
        style: in which the incomplete line begins.
        pending: raw text of that line; at most `MAX_PENDING` characters after a call.
    """

    style: Style = PLAIN
    pending: str = ""


def ansi_to_html(text: str, state: AnsiState) -> tuple[Html, AnsiState]:
    """Return the lines that `text` completes, and the state for what follows.

    However a log is cut into pieces, the pieces' HTML side by side, and `tail` of the last state,
    show the same text in the same looks. Only what overwrites a line that stays longer than
    `MAX_PENDING` may show the overwritten part too.
    """
    end = text.rfind("\n") + 1
    if end:
        markup, style = _render_lines(state.pending + text[:end], state.style)
        state = AnsiState(style=style, pending=text[end:])
    else:
        markup, state = EMPTY, replace(state, pending=state.pending + text)
    if len(state.pending) <= MAX_PENDING:
        return markup, state
    rest, state = _shorten(state)
    return join(markup, rest), state


def tail(state: AnsiState) -> Html:
    """Return the incomplete line as it looks now."""
    line = _Line(style=state.style)
    line.feed(state.pending)
    return line.html()


def _render_lines(text: str, style: Style) -> tuple[Html, Style]:
    markup: list[Html | str] = []
    plain: list[str] = []
    for line in _split(text):
        # Most lines of most logs have no looks at all; those are escaped in one go.
        bare = line[:-2] + "\n" if line.endswith("\r\n") else line
        if style is PLAIN and not _SPECIAL.search(bare):
            plain.append(bare)
            continue
        cells = _Line(style=style)
        cells.feed(line[:-1])
        markup += ["".join(plain), cells.html(), "\n"]
        plain, style = [], cells.style if cells.style != PLAIN else PLAIN
    return join(markup, "".join(plain)), style


def _split(text: str) -> list[str]:
    # str.splitlines also cuts at form feeds, NEL and U+2028, which no terminal does.
    return [line + "\n" for line in text.split("\n")[:-1]]


def _shorten(state: AnsiState) -> tuple[Html, AnsiState]:
    """Drop what was overwritten; if the line is still too long, give it out."""
    line = _Line(style=state.style)
    line.feed(state.pending)
    if len(shorter := line.source()) <= MAX_PENDING // 2:
        return EMPTY, AnsiState(style=PLAIN, pending=shorter)
    return line.html(), AnsiState(style=line.style, pending=line.cut_short)


@dataclass(slots=True)
class _Line:
    """One line of a terminal without end: cells, and a cursor that may go back."""

    style: Style
    chars: list[str] = field(default_factory=list)
    styles: list[Style] = field(default_factory=list)
    column: int = 0
    cut_short: str = ""  # an escape sequence whose end has not come yet

    def feed(self, text: str) -> None:
        if partial := _CUT_SHORT.search(text):
            kept = partial.group()
            self.cut_short = kept if len(kept) <= _MAX_STRING else kept[:2]
            text = text[: partial.start()]
        for token in _TOKEN.finditer(text):
            match token.lastgroup:
                case "text":
                    self._write(token["text"])
                case "final":
                    self._command(token["args"], token["final"], plain=not token["between"])
                case "control":
                    self._control(token["control"])
                case _:
                    pass  # dropped

    def html(self) -> Html:
        return join(
            _span("".join(char for _, char in run), style)
            for style, run in groupby(
                zip(self.styles, self.chars, strict=True), lambda cell: cell[0]
            )
        )

    def source(self) -> str:
        """Return text that draws this line and leaves cursor and style where they are."""
        runs = groupby(zip(self.styles, self.chars, strict=True), lambda cell: cell[0])
        drawn = "".join(style.sgr() + "".join(char for _, char in run) for style, run in runs)
        return f"{drawn}{self.style.sgr()}\x1b[{self.column + 1}G{self.cut_short}"

    def _write(self, text: str) -> None:
        end = self.column + len(text)
        self.chars[self.column : end] = text
        self.styles[self.column : end] = [self.style] * len(text)
        self.column = end

    def _control(self, char: str) -> None:
        if char == "\r":
            self.column = 0
        elif char == "\b":
            self.column = max(0, self.column - 1)

    def _command(self, args: str, final: str, *, plain: bool) -> None:
        if not plain or args[:1] in {"<", "=", ">", "?"}:
            return
        if final == "m":
            self.style = _apply(self.style, args)
        elif final == "G":
            self.column = min(max(_number(args) or 1, 1) - 1, len(self.chars))
        elif final == "K":
            self._erase(_number(args))

    def _erase(self, which: int) -> None:
        # Erasing the whole line also goes back to its start, as every program that does it wants
        # next. Erasing only what is before the cursor is not done: blanks over and over are what
        # would make the work more than linear.
        if which == _WHOLE:
            self.column = 0
        if which in {0, _WHOLE}:
            del self.chars[self.column :], self.styles[self.column :]


def _span(text: str, style: Style) -> Html:
    classes = style.classes()
    return el("span", text, class_=classes) if classes else join(text)


_FLAGS: dict[int, dict[str, bool]] = {
    1: {"bold": True},
    2: {"faint": True},
    3: {"italic": True},
    4: {"underline": True},
    7: {"inverse": True},
    9: {"strike": True},
    21: {"underline": True},
    22: {"bold": False, "faint": False},
    23: {"italic": False},
    24: {"underline": False},
    27: {"inverse": False},
    29: {"strike": False},
}


# SGR codes that take a colour from what follows, that reset one, and the sixteen of one code each:
# code → whether it is the background; first code → (background, first colour).
_TAKES_COLOUR = {38: False, 48: True}
_DEFAULT_COLOUR = {39: False, 49: True}
_SIXTEEN = {30: (False, 0), 40: (True, 0), 90: (False, 8), 100: (True, 8)}


@lru_cache(maxsize=1024)
def _apply(style: Style, args: str) -> Style:
    """Return the style after `ESC [ args m`; unknown codes change nothing (ECMA-48, 8.3.117)."""
    codes = [_number(arg) for arg in args.replace(":", ";").split(";")]
    index = 0
    while index < len(codes):
        code = codes[index]
        index += 1
        if code in _TAKES_COLOUR:
            colour, used = _extended(codes[index:])
            index += used
            style = _coloured(style, background=_TAKES_COLOUR[code], colour=colour)
        else:
            style = _simple(style, code)
    return style


def _simple(style: Style, code: int) -> Style:
    if code == 0:
        return PLAIN
    if code in _FLAGS:
        return replace(style, **_FLAGS[code])
    if code in _DEFAULT_COLOUR:
        return _coloured(style, background=_DEFAULT_COLOUR[code], colour=None)
    for first, (background, colour) in _SIXTEEN.items():
        if code in range(first, first + 8):
            return _coloured(style, background=background, colour=colour + code - first)
    return style


def _coloured(style: Style, *, background: bool, colour: int | None) -> Style:
    return replace(style, bg=colour) if background else replace(style, fg=colour)


def _extended(codes: list[int]) -> tuple[int | None, int]:
    """Return (colour, codes used) of what follows 38 or 48: `5;n`, or `2;r;g;b`."""
    match codes:
        case [5, colour, *_]:
            return min(colour, 255), 2
        case [2, red, green, blue, *_]:
            return _nearest(min(red, 255), min(green, 255), min(blue, 255)), 4
        case _:
            return None, len(codes)


_CUBE = (0, 95, 135, 175, 215, 255)
_CUBE_BORDERS = tuple((low + high) / 2 for low, high in pairwise(_CUBE))
_GREYS = range(232, 256)  # 8, 18, … 238
_GREY_STEP = 10


def _nearest(red: int, green: int, blue: int) -> int:
    """Return the palette entry near a 24-bit colour: a grey for greys, else one of the cube."""
    if max(red, green, blue) - min(red, green, blue) < _GREY_STEP:
        level = max(0, round(((red + green + blue) / 3 - 8) / _GREY_STEP))
        if level < len(_GREYS):
            return _GREYS[level]
    r, g, b = (sum(value > border for border in _CUBE_BORDERS) for value in (red, green, blue))
    return 16 + 36 * r + 6 * g + b


def _number(text: str) -> int:
    # Eight digits are more than any sequence means; longer ones are hostile.
    return int(text[:8]) if text.isascii() and text.isdigit() else 0
