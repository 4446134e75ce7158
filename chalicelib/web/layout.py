"""The frame of every page, and the headers that go with it.

Links are relative (on AWS the application lives below `/api/`), so each page says how far it is from
the root: `root` is empty there, `../` one level below.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from chalicelib.web.html import Child, document, el
from chalicelib.web.palette import palette_css

__all__ = ["SECURITY_HEADERS", "STATIC", "page", "static_file"]

SECURITY_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        # Nothing but what we serve: no inline script or style, no frame, nothing from elsewhere.
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cache-Control": "no-store",
    }
)
"""For every page, and for the JSON of live updates. Static files may be cached; see `static_file`."""

STATIC: Mapping[str, str] = MappingProxyType(
    {
        "berth.css": "text/css; charset=utf-8",
        "berth.js": "text/javascript; charset=utf-8",
        "berth.svg": "image/svg+xml",
    }
)
"""Names and types of what is served below `static/`. Pages ask for it with `?v=` and a hash, so it
may be cached for a year: `Cache-Control: public, max-age=31536000, immutable`."""

_FOLDER = Path(__file__).parent / "static"


@cache
def static_file(name: str) -> str | None:
    """Return the text of a static file, None for a name that is not in `STATIC`."""
    if name not in STATIC:
        return None
    text = (_FOLDER / name).read_text(encoding="utf-8")
    return text + palette_css() if name == "berth.css" else text


@cache
def _static_link(name: str) -> str:
    version = hashlib.sha256((static_file(name) or "").encode()).hexdigest()[:12]
    return f"static/{name}?v={version}"


def page(*, title: str, root: str, main: Child, head: Child = None, script: bool = False) -> str:
    """Return a whole page.

    Args:
        title: of the window; the product's name is added.
        root: relative path to the root.
        main: what the page is about.
        head: more elements for the head.
        script: whether the page has live parts.
    """
    home = root or "./"
    return document(
        lang="en",
        head=[
            el("meta", charset="utf-8"),
            el("meta", name="viewport", content="width=device-width, initial-scale=1"),
            el("meta", name="color-scheme", content="light dark"),
            el("title", f"{title} · Berth"),
            el("link", rel="icon", href=root + _static_link("berth.svg"), type="image/svg+xml"),
            el("link", rel="stylesheet", href=root + _static_link("berth.css")),
            el("script", src=root + _static_link("berth.js"), defer=True) if script else None,
            head,
        ],
        body=el(
            "body",
            el("a", "Skip to content", class_="skip", href="#main"),
            el("header", _brand(root, home), class_="top"),
            el("main", main, id="main", tabindex="-1"),
        ),
    )


def _brand(root: str, home: str) -> Child:
    mark = el("img", src=root + _static_link("berth.svg"), alt="", width=28, height=28)
    return el("a", mark, el("span", "Berth"), class_="brand", href=home)
