"""Cursors of `list_pipelines`: opaque outside, the sort key of the last pipeline shown inside.

Pure. A cursor comes back from a stranger's URL, so `decode_cursor` checks it and raises
`PayloadError`, never anything else.
"""

import base64
import binascii
import json
import re

from chalicelib.errors import PayloadError

__all__ = ["decode_cursor", "encode_cursor"]

_VERSION = 1
_MAX_CHARS = 400
_POSITION = re.compile(r"[0-9]{15}#[!-~]{1,100}")


def encode_cursor(position: str) -> str:
    """Return the cursor of the page that follows the pipeline at that sort key."""
    text = json.dumps({"v": _VERSION, "o": position}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode()


def decode_cursor(cursor: str) -> str:
    """Return the sort key in a cursor.

    >>> decode_cursor(encode_cursor("000000000180000#abcdefghijklmnop"))
    '000000000180000#abcdefghijklmnop'

    Raises:
        PayloadError: it is not a cursor of ours.
    """
    if len(cursor) > _MAX_CHARS:
        raise PayloadError(reason="the cursor is too long")
    try:
        value = json.loads(base64.b64decode(cursor.encode(), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise PayloadError(reason="the cursor is malformed") from error
    position = value.get("o") if isinstance(value, dict) and value.get("v") == _VERSION else None
    if not isinstance(position, str) or not _POSITION.fullmatch(position):
        raise PayloadError(reason="the cursor is malformed")
    return position
