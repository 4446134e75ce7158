"""How literal text is put into a script, by the place it stands in. `Raw` is nowhere here.

`shlex.quote` decides for arguments. What it does not know: a first word that is a keyword or holds
`=` is no argument to the shell unless it is quoted; and inside double quotes and here-documents
other characters are special.
"""

import re
import shlex
import string

__all__ = ["KEYWORDS", "delimiter", "escape_document", "escape_double", "quote", "quote_always"]

_LETTERS = f"E{string.ascii_letters}"
KEYWORDS = frozenset(
    [
        "if",
        "then",
        "else",
        "elif",
        "fi",
        "do",
        "done",
        "case",
        "esac",
        "while",
        "until",
        "for",
        "in",
        "function",
        "select",
        "time",
        "coproc",
    ]
)
_DOUBLE = re.compile(r'[\\"$`]')
_BRACKET = re.compile(r"(?:^|(?<=[<>]))\(")
_DOCUMENT = re.compile(r"[\\$`]")


def quote(text: str) -> str:
    """Return the text as an argument, quoted if it needs to be."""
    return shlex.quote(text)


def quote_always(text: str) -> str:
    """Return the text in single quotes, so that it is neither keyword, alias nor assignment."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


def escape_double(text: str) -> str:
    """Return the text as it stands between double quotes, in a default or a key.

    Bash 5.2 reads `"${x-"<("}"` as the start of a process substitution, so the quotes are closed
    and opened again before such a bracket.
    """
    return _BRACKET.sub('""(', _DOUBLE.sub(r"\\\g<0>", text))


def escape_document(text: str) -> str:
    """Return the text as it stands in an expanding here-document, where quotes mean nothing."""
    return _DOCUMENT.sub(r"\\\g<0>", text)


def delimiter(body: str) -> str:
    """Return a word that is no line of the body: `EOF`, or the first free one of `EOF_1`, `EOF_2`.

    Nor does a line that is not plain ASCII begin as it does, as far as there are letters: dash 0.5.12
    drops a byte above 127 that follows the first letters of the delimiter at the begin of a line.
    """
    lines = body.split("\n")
    begun = {line[0] for line in lines if line and not line.isascii()}
    word = next((f"{each}OF" for each in _LETTERS if each not in begun), "EOF")
    found, number = word, 0
    while found in lines:
        number += 1
        found = f"{word}_{number}"
    return found
