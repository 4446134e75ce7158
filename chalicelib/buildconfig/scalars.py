"""Scalars as CircleCI reads them: numbers and booleans to text, durations to time.

CircleCI reads YAML 1.1 with SnakeYAML: `on` and `yes` are true, `010` is eight, `1:30` is ninety,
`3.10` is 3.1. An environment value becomes text after that, so those who mean `3.10` quote it.
"""

import math
import re
from datetime import timedelta

from chalicelib.buildconfig.cursor import Cursor
from chalicelib.buildconfig.document import Kind

__all__ = ["duration", "value_text"]

_MAX_NUMBER = 100
"""Characters of a number. Longer ones cost quadratic time to convert, and nobody means them."""
_TRUE = frozenset({"true", "yes", "on"})
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(s|m|h)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}


def value_text(place: Cursor) -> str:
    """Return an environment value as the text that a process gets; null is the empty text.

    Raises:
        ConfigError: it is a list or a map, or a number that is not finite or too long.
    """
    node = place.scalar()
    match node.kind:
        case Kind.NULL:
            return ""
        case Kind.BOOLEAN:
            return "true" if node.text.lower() in _TRUE else "false"
        case Kind.INTEGER | Kind.FLOAT:
            return _number_text(place, node.text, node.kind)
        case Kind.TEXT | Kind.TIMESTAMP:
            return place.plain(node.text)


def _number_text(place: Cursor, text: str, kind: Kind) -> str:
    try:
        if len(text) > _MAX_NUMBER:
            raise place.error(f"a number of more than {_MAX_NUMBER} characters: put it in quotes")
        if kind is Kind.INTEGER:
            return str(_integer(text))
        number = _float(text)
    except ValueError as error:
        raise place.error("not a number: put it in quotes") from error
    if not math.isfinite(number):
        raise place.error("not a finite number: put it in quotes")
    return repr(number)


def _integer(text: str) -> int:
    digits = text.replace("_", "").lower()
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    if ":" in digits:
        return sign * int(_sexagesimal(digits))
    if digits.startswith("0") and digits != "0" and digits[1:2] not in {"b", "x"}:
        return sign * int(digits, 8)
    return sign * int(digits, {"0b": 2, "0x": 16}.get(digits[:2], 10))


def _float(text: str) -> float:
    digits = text.replace("_", "").lower()
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    if ":" in digits:
        return sign * float(_sexagesimal(digits))
    return sign * float(digits.removeprefix(".") if digits in {".inf", ".nan"} else digits)


def _sexagesimal(digits: str) -> float | int:
    total: float | int = 0
    for part in digits.split(":"):
        total = total * 60 + (float(part) if "." in part else int(part))
    return total


def duration(place: Cursor) -> timedelta:
    """Return the duration of a text such as `20m`, `1.25h` or `5s`.

    Raises:
        ConfigError: it is anything else, or zero.
    """
    found = _DURATION.fullmatch(place.text())
    length = timedelta(**{_UNITS[found[2]]: float(found[1])}) if found else timedelta(0)
    if length <= timedelta(0):
        raise place.error("has to be a duration above zero, such as 20m, 1.25h or 5s")
    return length
