"""What a resource's commands have printed, without the secrets of that resource.

Nothing here prints a secret, but a program may: the one that a secret was given to.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from chalicelib.shell import Secret

__all__ = ["redacted", "secrets_in"]

_LEAST = 3
"""What is shorter is in too many words to be a secret, and hiding it would spoil the message."""


def redacted(text: str, value: object) -> str:
    """Return the text with stars for the secrets that a value holds, and for each line of them.

    >>> redacted("login: swordfish is wrong", {"password": Secret("swordfish")})
    'login: *** is wrong'
    """
    lines = {line.strip() for each in secrets_in(value) for line in each.splitlines()}
    # The longest first: one may be part of another.
    for each in sorted(lines, key=len, reverse=True):
        if len(each) >= _LEAST:
            text = text.replace(each, "***")
    return text


def secrets_in(value: object) -> Iterator[str]:
    """Yield the secrets in a value: itself, in its fields, its items, at any depth."""
    match value:
        case Secret():
            yield value.reveal()
        case Mapping():
            yield from secrets_in(tuple(value.values()))
        case tuple() | list() | set() | frozenset():
            for each in value:
                yield from secrets_in(each)
        case _ if is_dataclass(value) and not isinstance(value, type):
            for each in fields(value):
                yield from secrets_in(getattr(value, each.name))
        case _:
            pass
