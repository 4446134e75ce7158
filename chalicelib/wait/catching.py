"""Which exceptions are tried again: the four forms that `catch` takes, as one question."""

from collections.abc import Callable
from typing import Any, TypeAlias

__all__ = ["Catch", "matcher"]

Catch: TypeAlias = (
    type[Exception]
    | tuple[type[Exception], ...]
    | Callable[[Exception], object]
    | str
    | tuple[str, Any]
)
"""A class or several; a predicate; an attribute that must be true; an attribute and its value."""


def matcher(catch: Catch) -> Callable[[Exception], object]:
    """Return a predicate that is true of the exceptions that `catch` names.

    An exception without the attribute counts as one whose attribute is None.

    >>> matcher(("errno", 2))(FileNotFoundError(2, "gone"))
    True
    >>> matcher((ConnectionError, TimeoutError))(KeyError())
    False

    Raises:
        TypeError: `catch` has none of its forms.
    """
    if isinstance(catch, str):
        return lambda error: getattr(error, catch, None)
    if isinstance(catch, tuple) and len(catch) > 1 and isinstance(catch[0], str):
        name, wanted = catch
        return lambda error: getattr(error, name, None) == wanted
    if callable(catch) and not isinstance(catch, type):
        return catch
    classes: tuple[Any, ...] = catch if isinstance(catch, tuple) else (catch,)
    if not all(isinstance(each, type) and issubclass(each, Exception) for each in classes):
        raise TypeError(
            f"catch takes exception classes, a predicate, an attribute, or (attribute, value): {catch!r}"
        )
    return lambda error: isinstance(error, classes)
