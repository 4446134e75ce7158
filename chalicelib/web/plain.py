"""Pages that say one thing: sign in, and what went wrong."""

from http import HTTPStatus

from chalicelib.web.html import el
from chalicelib.web.layout import page

__all__ = ["render_error", "render_login"]


def render_login(message: str = "", *, root: str = "", action: str = "login") -> str:
    """Return the page that asks for the token.

    Args:
        message: why it asks again; empty the first time.
        root: relative path from this page to the root.
        action: where the form posts the field `token` to, relative to the root.
    """
    form = el(
        "form",
        el("p", message, class_="note bad", role="alert", id="why") if message else None,
        el("label", "Page token", for_="token"),
        el(
            "input",
            id="token",
            name="token",
            type="password",
            autocomplete="current-password",
            required=True,
            autofocus=True,
            aria_describedby="why hint" if message else "hint",
        ),
        el(
            "p",
            el("code", "./berth up"),
            " prints a link that signs you in.",
            id="hint",
            class_="hint",
        ),
        el("button", "Sign in", type="submit", class_="button primary"),
        method="post",
        action=root + action,
        class_="card login",
    )
    return page(title="Sign in", root=root, main=[el("h1", "Sign in"), form])


def render_error(status: int, message: str, *, root: str = "") -> str:
    """Return the page of an HTTP error. `message` is a sentence for people; `root` as above."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Error"
    return page(
        title=phrase,
        root=root,
        main=el(
            "section",
            el("p", str(status), class_="status"),
            el("h1", phrase),
            el("p", message, class_="reason"),
            el("p", el("a", "Back to the pipelines", class_="button", href=root or "./")),
            class_="card error",
        ),
    )
