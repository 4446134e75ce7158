"""HTML that is safe by construction: text is escaped unless it is `Html` already.

Rule of this package: markup comes from `el` and `join` alone, and `Html(…)` is called nowhere but
here. So no value, whoever sent it, can become a tag, an attribute, a script, a style or a link to
somewhere else.
"""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Child", "Html", "document", "el", "join"]


@dataclass(frozen=True, slots=True)
class Html:
    """A piece of well-formed markup."""

    markup: str

    def __str__(self) -> str:
        return self.markup


Child = Html | str | int | None | Iterable["Child"]
"""What may stand inside an element: text and numbers are escaped, None is nothing."""

EMPTY = Html("")

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*")
_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})
_LINKS = frozenset({"href", "src", "action"})
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|[/\\]", re.IGNORECASE)
# What XML and HTML cannot carry, and the marks that turn text around to make it read as other text.
_UNPRINTABLE = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(127, 160), 0xFFFE, 0xFFFF])
_TURNS_TEXT = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_DROPPED = _UNPRINTABLE | _TURNS_TEXT | dict.fromkeys(range(0xD800, 0xE000), "�")


def join(*children: Child) -> Html:
    """Return the children side by side, text escaped.

    >>> str(join("a < b", None, ["!", 1]))
    'a &lt; b!1'
    """
    return Html("".join(_render(child) for child in children))


def el(tag: str, /, *children: Child, **attributes: str | int | bool | None) -> Html:
    """Return an element.

    Attribute names: a final `_` is dropped (`class_`), other `_` become `-` (`aria_label`). True is
    an attribute without a value; False and None leave it out.

    >>> str(el("p", "1 < 2", class_='"x"', hidden=True, id=None))
    '<p class="&quot;x&quot;" hidden>1 &lt; 2</p>'

    Raises:
        ValueError: the names are not names, the attribute holds code (`style`, `on…`), or a link
            does not stay on this site by being relative. All three are mistakes in this package.
    """
    if not _NAME.fullmatch(tag):
        raise ValueError(f"{tag!r} is not a tag")
    opening = tag + "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _VOID:
        return Html(f"<{opening}>")
    return Html(f"<{opening}>{''.join(_render(child) for child in children)}</{tag}>")


def document(*, lang: str, head: Child, body: Child) -> str:
    """Return a whole page."""
    return "<!doctype html>\n" + str(el("html", el("head", head), body, lang=lang)) + "\n"


def _render(child: Child) -> str:
    match child:
        case None:
            return ""
        case Html():
            return child.markup
        case str():
            return html.escape(child.translate(_DROPPED))
        case int():
            return str(child)
        case _:
            return "".join(_render(one) for one in child)


def _attribute(name: str, value: str | int | bool | None) -> str:  # noqa: FBT001 - a value, not a switch
    name = name.rstrip("_").replace("_", "-")
    if not _NAME.fullmatch(name) or name == "style" or name.startswith("on"):
        raise ValueError(f"{name!r} is not an attribute to use")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    text = str(value).translate(_DROPPED)
    if name in _LINKS and _ELSEWHERE.match(text):
        raise ValueError(f"{text!r} is not a relative link")
    return f' {name}="{html.escape(text)}"'
