"""What can be asked: of strings, integers and files. The answers are commands' exit statuses."""

from chalicelib.shell.commands import Command, Node
from chalicelib.shell.words import Raw, single_word

__all__ = [
    "equal",
    "exists",
    "is_directory",
    "is_empty",
    "is_executable",
    "is_file",
    "is_nonempty_file",
    "is_not_empty",
    "is_readable",
    "is_symlink",
    "is_writable",
    "not_equal",
    "num_eq",
    "num_ge",
    "num_gt",
    "num_le",
    "num_lt",
    "num_ne",
]

# Constants of the language: as literals they would be rendered in quotes, which is right but ugly.
_OPEN, _CLOSE = Raw("["), Raw("]")


def _of_two(left: object, operator: str, right: object) -> Node:
    return Command((_OPEN, single_word(left), Raw(operator), single_word(right), _CLOSE))


def _of_one(operator: str, value: object) -> Node:
    return Command((_OPEN, Raw(operator), single_word(value), _CLOSE))


def equal(left: object, right: object) -> Node:
    """The two are the same text."""
    return _of_two(left, "=", right)


def not_equal(left: object, right: object) -> Node:
    """The two are not the same text."""
    return _of_two(left, "!=", right)


def num_eq(left: object, right: object) -> Node:
    """The two integers are equal. Status 2 if one is no integer, as with all of these."""
    return _of_two(left, "-eq", right)


def num_ne(left: object, right: object) -> Node:
    """The two integers differ."""
    return _of_two(left, "-ne", right)


def num_lt(left: object, right: object) -> Node:
    """The first integer is less."""
    return _of_two(left, "-lt", right)


def num_le(left: object, right: object) -> Node:
    """The first integer is less, or they are equal."""
    return _of_two(left, "-le", right)


def num_gt(left: object, right: object) -> Node:
    """The first integer is greater."""
    return _of_two(left, "-gt", right)


def num_ge(left: object, right: object) -> Node:
    """The first integer is greater, or they are equal."""
    return _of_two(left, "-ge", right)


def is_empty(value: object) -> Node:
    """The text is empty."""
    return _of_one("-z", value)


def is_not_empty(value: object) -> Node:
    """The text is not empty."""
    return _of_one("-n", value)


def exists(path: object) -> Node:
    """Something is there; a link counts by what it leads to."""
    return _of_one("-e", path)


def is_file(path: object) -> Node:
    """A regular file is there."""
    return _of_one("-f", path)


def is_directory(path: object) -> Node:
    """A directory is there."""
    return _of_one("-d", path)


def is_readable(path: object) -> Node:
    """It can be read by whoever asks."""
    return _of_one("-r", path)


def is_writable(path: object) -> Node:
    """It can be written by whoever asks."""
    return _of_one("-w", path)


def is_executable(path: object) -> Node:
    """It can be run, or searched, by whoever asks."""
    return _of_one("-x", path)


def is_symlink(path: object) -> Node:
    """A symbolic link is there, wherever it leads."""
    return _of_one("-L", path)


def is_nonempty_file(path: object) -> Node:
    """A file with something in it is there."""
    return _of_one("-s", path)
