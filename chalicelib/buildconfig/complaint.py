"""Making a `ConfigError` that can be shown anywhere: bounded, printable, with a line.

Keys and names come from the config, so they may be a page long or hold terminal escapes.
"""

from chalicelib.errors import ConfigError

__all__ = ["complaint"]

_MAX_KEY = 300
_MAX_REASON = 500


def complaint(*, file: str, line: int, reason: str, key: str = "") -> ConfigError:
    r"""Return the error; what cannot be printed is replaced, what is too long is cut.

    >>> complaint(file="c.yml", line=0, key="jobs.\x1b", reason="unknown key").key
    'jobs.\ufffd'
    """
    return ConfigError(
        file=file,
        line=max(1, line),
        key=_shown(key, _MAX_KEY),
        reason=_shown(reason, _MAX_REASON),
    )


def _shown(text: str, most: int) -> str:
    cut = text if len(text) <= most else text[: most - 1] + "…"
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in cut)
