"""Reading one JSON object of GitHub's, field by field, each checked for what it is used for.

Every miss is a `PayloadError` that names the field by its dotted path. Standard library only.
"""

import re
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

from chalicelib.errors import PayloadError

__all__ = ["Payload", "shown"]

_MAX_ID = 1 << 63
_MAX_REF = 1024
_MAX_URL = 1024
_MAX_SHOWN = 200
_MAX_TEXT = 200
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_FULL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}")
# What git itself forbids (<https://git-scm.com/docs/git-check-ref-format>), and short names that a
# command could take for an option.
_REF = re.compile(r"refs/[a-z]+/(?!-)[^\x00-\x20\x7f-\x9f~^:?*\[\\]+")
_HOST = re.compile(r"[A-Za-z0-9.\-\[\]:]+")
_URL_CHARACTERS = re.compile(r"[!-~]+")


def shown(text: str) -> str:
    r"""Return `text` as one bounded line that every encoder and terminal takes.

    >>> shown("colour \x1b[31m")
    'colour  [31m'
    """
    letters = (letter if letter.isprintable() else " " for letter in text[:_MAX_SHOWN])
    return "".join(letters).strip()


class Payload:
    """A view of one JSON object. `path` is its dotted way from the root, for complaints."""

    def __init__(self, value: Mapping[str, Any], path: str = "") -> None:
        self._value = value
        self._path = path

    def _name(self, field: str) -> str:
        return f"{self._path}.{field}" if self._path else field

    def _refuse(self, field: str, expected: str) -> NoReturn:
        raise PayloadError(reason=f"{self._name(field)} is not {expected}")

    def is_null(self, field: str) -> bool:
        """Whether the field is missing or null."""
        return self._value.get(field) is None

    def object(self, field: str) -> "Payload":
        """Return the object in that field."""
        value = self._value.get(field)
        if not isinstance(value, Mapping):
            self._refuse(field, "an object")
        return Payload(value, self._name(field))

    def optional_object(self, field: str) -> "Payload":
        """Return the object in that field; an empty one when it is missing or null."""
        return Payload({}, self._name(field)) if self.is_null(field) else self.object(field)

    def text(self, field: str) -> str:
        """Return the text in that field, as it is."""
        value = self._value.get(field)
        if not isinstance(value, str):
            self._refuse(field, "text")
        return value

    def shown(self, field: str) -> str:
        """Return the text in that field as `shown` makes it; empty when missing or null."""
        return "" if self.is_null(field) else shown(self.text(field))

    def optional_text(self, field: str) -> str | None:
        """Return the short printable text in that field; None when missing or null."""
        if self.is_null(field):
            return None
        text = self.text(field)
        if not 0 < len(text) <= _MAX_TEXT or not text.isprintable():
            self._refuse(field, f"1 to {_MAX_TEXT} printable characters")
        return text

    def flag(self, field: str) -> bool:
        """Return the boolean in that field; False when missing or null."""
        value = False if self.is_null(field) else self._value[field]
        if not isinstance(value, bool):
            self._refuse(field, "a boolean")
        return value

    def number(self, field: str, most: int = _MAX_ID) -> int:
        """Return the whole number from 0 to `most` in that field."""
        value = self._value.get(field)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            self._refuse(field, f"a whole number from 0 to {most}")
        return value

    def optional_number(self, field: str, most: int) -> int:
        """Return the whole number in that field; 0 when missing or null."""
        return 0 if self.is_null(field) else self.number(field, most)

    def sha(self, field: str) -> str:
        """Return the commit id in that field: 40 hexadecimal digits, or 64."""
        text = self.text(field)
        if not _SHA.fullmatch(text):
            self._refuse(field, "a commit id")
        return text

    def optional_sha(self, field: str) -> str:
        """Return the commit id in that field; empty when missing, null or all zeros."""
        sha = "" if self.is_null(field) else self.sha(field)
        return sha if sha.strip("0") else ""

    def ref(self, field: str) -> str:
        """Return the full ref in that field, safe as an argument of git."""
        text = self.text(field)
        if not _is_ref(text):
            self._refuse(field, "a full ref")
        return text

    def branch(self, field: str) -> str:
        """Return the short branch name in that field; empty when it is missing or no such name."""
        text = self._value.get(field)
        found = isinstance(text, str) and _is_ref(f"refs/heads/{text}")
        return str(text) if found else ""

    def full_name(self, field: str) -> str:
        """Return the repository's `owner/name` in that field."""
        text = self.text(field)
        if not _FULL_NAME.fullmatch(text) or {".", ".."} & set(text.split("/")):
            self._refuse(field, "owner/name")
        return text

    def clone_url(self, field: str) -> str:
        """Return the HTTP or HTTPS address in that field; one with credentials is refused."""
        text = self.text(field)
        if len(text) > _MAX_URL or not _is_plain_url(text):
            self._refuse(field, "an HTTP address without credentials")
        return text


def _is_ref(text: str) -> bool:
    whole = _REF.fullmatch(text) is not None and ".." not in text
    return whole and len(text) <= _MAX_REF and _encodes(text)


def _encodes(text: str) -> bool:
    # JSON may hold half a surrogate pair, which has no UTF-8.
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _is_plain_url(text: str) -> bool:
    if not _URL_CHARACTERS.fullmatch(text):
        return False
    try:
        url = urlsplit(text)
        url.port  # noqa: B018 parsing it is the check
    except ValueError:
        return False
    return url.scheme in {"http", "https"} and bool(_HOST.fullmatch(url.netloc)) and bool(url.path)
